"""Namespaces reconciled from nothing and again with no change, on the stand-in, against plain applies of the same."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx2

from bench.results import Result
from bench.rounds import compare
from devcloud.kubernetes import down, up
from platforma.clouds.kubernetes import ClusterCredential, ClusterOptions, NamespaceQuota, NamespaceSpec, TenantCluster
from platforma.clouds.kubernetes.api import Api
from platforma.clouds.kubernetes.connection import DeadlineTransport
from platforma.clouds.kubernetes.manifests import namespace_manifests
from platforma.clouds.kubernetes.pool import ClusterPool
from platforma.clouds.kubernetes.resources import ClusterProfile

_SECONDS = 60.0


@dataclass(frozen=True)
class KubernetesScale:
    """How many tenants there are, with how many namespaces each."""

    tenants: int = 200
    namespaces: int = 3


def bench_kubernetes(scale: KubernetesScale) -> list[Result]:
    """Measure tenant by tenant, in turns: the first pass, the second, and plain applies of the same manifests."""
    passes: dict[str, list[float]] = {"first": [], "second": [], "plain": []}
    requests: dict[str, Counter[str]] = {"first": Counter(), "second": Counter(), "plain": Counter()}
    with _cluster() as (pool, worker, api):
        for _ in range(scale.tenants):
            cluster = pool.open_tenant(worker, uuid4())
            specs = [_spec(cluster) for _ in range(scale.namespaces)]
            for name in ("first", "second"):
                with _counting(requests[name]), _timing(passes[name]):
                    for spec in specs:
                        cluster.ensure_namespace(spec)
            copies = [replace(spec, id=uuid4()) for spec in specs]
            with _counting(requests["plain"]), _timing(passes["plain"]):
                for spec in copies:
                    for manifest in namespace_manifests(spec, ClusterProfile(), []):
                        api.apply(manifest)
    return [*_times(passes, scale), *_requests(requests, scale)]


def _times(passes: dict[str, list[float]], scale: KubernetesScale) -> Iterator[Result]:
    plain = sorted(passes["plain"])[len(passes["plain"]) // 2]
    for name, words in (("first", "from nothing"), ("second", "with no change")):
        middle = sorted(passes[name])[len(passes[name]) // 2]
        ratio = compare(passes[name], passes["plain"])
        yield Result(
            f"A namespace reconciled {words}, against applying its manifests",
            middle / scale.namespaces * 1000,
            "ms",
            plain / scale.namespaces * 1000,
            ratio.median,
            ratio.spread,
        )


def _requests(requests: dict[str, Counter[str]], scale: KubernetesScale) -> Iterator[Result]:
    number = scale.tenants * scale.namespaces
    for name, words in (("first", "from nothing"), ("second", "with no change")):
        count = requests[name]
        writes = sum(count[method] for method in count if method != "GET")
        yield Result(f"Requests for a namespace {words}", sum(count.values()) / number, "requests")
        target = "0" if name == "second" else ""
        yield Result(f"Of these writes, {words}", writes / number, "requests", target=target)


def _spec(cluster: TenantCluster) -> NamespaceSpec:
    return NamespaceSpec(uuid4(), cluster.tenant_id, "web", NamespaceQuota(vcpus=2, ram_mib=2048, pods=10))


@contextmanager
def _cluster() -> Iterator[tuple[ClusterPool, ClusterCredential, Api]]:
    with tempfile.TemporaryDirectory(prefix="platforma-bench-kubernetes-") as directory:
        state = Path(directory) / "state"
        made = up(state, report=lambda line: print(f"kubernetes: {line}", flush=True))
        try:
            pool = ClusterPool()
            credential = ClusterCredential.from_kubeconfig(made.kubeconfig.read_text())
            administration = pool.open_administration(credential)
            administration.install(ClusterOptions())
            worker = administration.issue_worker_credential(lifetime_seconds=3600)
            # Plain applies are the worker's too: an administrator may not make tenants' namespaces.
            yield pool, worker, Api(worker, _SECONDS)
            pool.close()
        finally:
            down(state, wipe=True)


@contextmanager
def _timing(passes: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    passes.append(time.perf_counter() - began)


@contextmanager
def _counting(count: Counter[str]) -> Iterator[None]:
    send = DeadlineTransport.handle_request

    def counted(self: DeadlineTransport, request: httpx2.Request) -> Any:
        count[request.method] += 1
        return send(self, request)

    with patch.object(DeadlineTransport, "handle_request", counted):
        yield
