"""How a canary tenant comes to own namespaces, openings and kubeconfigs, and what it tries with a kubeconfig.

What is created is judged as a dry run, which passes through the cluster's whole admission and leaves nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from platforma.clouds.errors import CloudCredentialInvalid, CloudError, CloudNotFound, CloudRefused
from platforma.clouds.kubernetes import ClusterCredential
from platforma.clouds.kubernetes.api import CORE, NETWORKING, Api
from platforma.clouds.kubernetes.attacks import (
    ADMITTED,
    FOREIGN_POLICIES,
    MANAGED_OBJECTS,
    OWN_POLICIES,
    REFUSED,
    Ground,
    of,
)
from platforma.clouds.kubernetes.labels import (
    ACCESS_NAMESPACE,
    NAME_PREFIX,
    SYSTEM_NAMESPACE,
    TENANT,
    WORKER,
    access_name,
)
from platforma.kit.probes import Belonging, Layer, NotHere, Observation, Outcome, Party, Probe, Scene

_API = "/api/v1"


async def _namespace(party: Party) -> str | None:
    return await _make_namespace(party, "a")


async def _source(party: Party) -> str | None:
    return await _make_namespace(party, "b")


async def _opening(party: Party) -> str | None:
    if "cluster_id" not in party.ids:
        raise NotHere("The installation has no cluster that is ready.")
    path = f"{_API}/namespaces/{party.ids['namespace_id']}"
    body = {"from_namespace_id": party.ids["from_namespace_id"], "port": 4433, "description": party.mark}
    await party.settle(await party.ask("POST", f"{path}/openings", body=body))
    openings = (await party.ask("GET", path)).json()["openings"]
    return str(openings[0]["id"]) if openings else None


async def _kubeconfig(party: Party) -> str | None:
    if "cluster_id" not in party.ids:
        raise NotHere("The installation has no cluster that is ready.")
    body = {"name": f"kubeconfig {party.mark}", "cluster_id": party.ids["cluster_id"]}
    return await party.settle(await party.ask("POST", f"{_API}/kubeconfigs", body=body))


async def _make_namespace(party: Party, suffix: str) -> str | None:
    clusters = (await party.ask("GET", f"{_API}/clusters")).json()["items"]
    if not clusters:
        raise NotHere("The installation has no cluster.")
    ready = [each for each in clusters if each["status"] == "ready"]
    if not ready:
        return None
    party.ids["cluster_id"] = str(ready[0]["id"])
    body = {
        "name": f"{party.mark}-{suffix}",
        "cluster_id": ready[0]["id"],
        "vcpus": 1,
        "ram_mib": 512,
        "pods": 2,
    }
    return await party.settle(await party.ask("POST", f"{_API}/namespaces", body=body))


BELONGINGS = (
    Belonging("namespace_id", _namespace, Layer.NETWORK, brings=("kubernetes_access",)),
    Belonging("from_namespace_id", _source, Layer.NETWORK),
    Belonging("opening_id", _opening, Layer.NETWORK, needs=("namespace_id", "from_namespace_id")),
    Belonging("kubeconfig_id", _kubeconfig, Layer.NETWORK),
)


@dataclass(frozen=True)
class _Reach:
    """How far A's kubeconfig leads."""

    api: Api
    ground: Ground
    their_namespace: str
    their_kubeconfig_id: str


_SECONDS = 20.0
_READABLE = ((CORE, "Pod"), (CORE, "Secret"), (CORE, "ConfigMap"), (CORE, "Service"), (NETWORKING, "NetworkPolicy"))


async def _attack_cluster(scene: Scene) -> AsyncIterator[Observation]:
    """Try what a member's kubectl can send, from within A's namespace and at B's, and once more when it is revoked."""
    for name in ("namespace_id", "kubeconfig_id"):
        if name not in scene.a.ids or name not in scene.b.ids:
            yield Observation("the cluster", Outcome.NOT_PROVEN, f"There is not a {name} on both sides.")
            return
    (theirs, b), (ours, a) = [await _namespace_of(party) for party in (scene.b, scene.a)]
    body = {"name": f"attack {scene.a.mark}", "cluster_id": scene.a.ids["cluster_id"]}
    asked = await scene.a.ask("POST", f"{_API}/kubeconfigs", body=body)
    id_ = await scene.a.settle(asked)
    collected = await scene.a.ask("POST", f"{_API}/kubeconfigs/{id_}/collect", body={"key": asked.json().get("key")})
    if collected.status != 200:
        yield Observation("the cluster", Outcome.NOT_PROVEN, f"A has no kubeconfig: {collected.status}")
        return
    api = Api(ClusterCredential.from_kubeconfig(collected.json()["kubeconfig"]), _SECONDS)
    try:
        reach = _Reach(api, Ground(ours, a=a, b=b), theirs, scene.b.ids["kubeconfig_id"])
        for seen in await asyncio.to_thread(_attack, reach):
            yield seen
        await scene.a.settle(await scene.a.ask("DELETE", f"{_API}/kubeconfigs/{id_}"))
        yield await asyncio.to_thread(_attack_revoked, reach)
    finally:
        api.close()


async def _namespace_of(party: Party) -> tuple[str, str]:
    """Return what a party's namespace and tenant are called in the cluster."""
    namespace = (await party.ask("GET", f"{_API}/namespaces/{party.ids['namespace_id']}")).json()
    me = (await party.ask("GET", f"{_API}/me")).json()
    return str(namespace["cloud_id"]), str(me["tenant"]["id"])


def _attack(reach: _Reach) -> list[Observation]:
    """Return what came of all attacks until the cluster could not be asked any more."""
    observations = []
    try:
        for attack in (_attack_admission, _attack_managed_objects, _attack_others):
            for seen in attack(reach):
                observations.append(seen)
    except CloudError as error:
        observations.append(Observation("the cluster", Outcome.NOT_PROVEN, f"It broke off. {error}"))
    return observations


def _attack_admission(reach: _Reach) -> Iterator[Observation]:
    """K01 to K05: what is created within the own namespace. A control that is refused leaves its threat not proven."""
    create = partial(reach.api.create, is_dry_run=True)
    failed: dict[str, str] = {}
    for attempt in (*ADMITTED, *OWN_POLICIES):
        if refusal := _refusal(partial(create, attempt.make(reach.ground))):
            failed[attempt.threat] = f"The control, {attempt.name}, failed. {refusal}"
    for attempt in (*REFUSED, *FOREIGN_POLICIES):
        subject = f"{attempt.threat} {attempt.name}"
        yield _judge(subject, partial(create, attempt.make(reach.ground)), failed.get(attempt.threat))


def _attack_managed_objects(reach: _Reach) -> Iterator[Observation]:
    """K01, K08: what is Platforma's in the own namespace, and the namespace itself."""
    namespace = reach.ground.namespace
    for version, kind, name in MANAGED_OBJECTS:
        found = reach.api.get(version, kind, name, namespace)
        bare = found | {"metadata": {**found["metadata"], "labels": {}}}
        yield _judge(f"K01 {kind}: its labels", partial(reach.api.replace, bare))
        yield _judge(f"K01 {kind}: deleted", partial(reach.api.delete, found))
    found = reach.api.get(CORE, "Namespace", namespace)
    labels = found["metadata"]["labels"]
    for change in ({TENANT: reach.ground.b}, {"pod-security.kubernetes.io/enforce": "privileged"}):
        relabelled = found | {"metadata": {**found["metadata"], "labels": labels | change}}
        yield _judge(f"K08 the namespace: {next(iter(change))}", partial(reach.api.replace, relabelled))


def _attack_others(reach: _Reach) -> Iterator[Observation]:
    """K05, K08, K09: B's namespace, which has to be like one that never was, the platform's own, and the nodes."""
    api, unknown = reach.api, f"{NAME_PREFIX}{uuid4()}"
    for version, kind in _READABLE:
        control = _refusal(partial(api.list_objects, version, kind, namespace=reach.ground.namespace))
        failed = control and f"The own namespace cannot be read: {control}"
        for place in (reach.their_namespace, SYSTEM_NAMESPACE, ACCESS_NAMESPACE, "kube-system", None):
            subject = f"K05 {kind} in {'all namespaces' if place is None else place}"
            yield _judge(subject, partial(api.list_objects, version, kind, namespace=place), failed)
        foreign, never = (
            (_refusal(partial(api.list_objects, version, kind, namespace=name)) or "").replace(name, "it")
            for name in (reach.their_namespace, unknown)
        )
        outcome = Outcome.HELD if foreign == never else Outcome.BYPASSED
        yield Observation(f"K09 {kind}: B's namespace is told from one that never was", outcome, f"{foreign} | {never}")
    for kind in ("Namespace", "Node", "PersistentVolume"):
        yield _judge(f"K05 {kind}s of the cluster", partial(api.list_objects, CORE, kind))
    for place in (reach.their_namespace, SYSTEM_NAMESPACE, "kube-system", "default"):
        written = of(CORE, "ConfigMap", place, "planted", data={"key": "value"})
        yield _judge(f"K08 written to {place}", partial(api.create, written, is_dry_run=True))
    theirs = access_name(UUID(reach.their_kubeconfig_id))
    for place, account in ((ACCESS_NAMESPACE, theirs), (SYSTEM_NAMESPACE, WORKER), (reach.ground.namespace, "default")):
        yield _judge(f"K05 a token of {account}", partial(api.request_token, place, account, seconds=600))


def _attack_revoked(reach: _Reach) -> Observation:
    """A token is worth nothing as soon as its kubeconfig is revoked."""
    try:
        reach.api.list_objects(CORE, "Pod", namespace=reach.ground.namespace)
    except (CloudCredentialInvalid, CloudRefused):
        return Observation("K05 a revoked kubeconfig", Outcome.HELD)
    except CloudError as error:
        return Observation("K05 a revoked kubeconfig", Outcome.NOT_PROVEN, str(error)[:300])
    return Observation("K05 a revoked kubeconfig", Outcome.BYPASSED, "It still lists pods.")


def _judge(subject: str, act: Callable[[], Any], failed: str | None = None) -> Observation:
    """Do what has to be refused. Only the cluster's own no is one: an outage or a throttled request proves nothing."""
    try:
        done = act()
    except (CloudRefused, CloudNotFound) as error:
        outcome = Outcome.NOT_PROVEN if failed else Outcome.HELD
        return Observation(subject, outcome, failed or str(error)[:300])
    except CloudError as error:
        return Observation(subject, Outcome.NOT_PROVEN, str(error)[:300])
    return Observation(subject, Outcome.BYPASSED, str(done)[:300])


def _refusal(act: Callable[[], Any]) -> str | None:
    """Return what the cluster says against it; None if it does it."""
    try:
        act()
    except CloudError as error:
        return str(error)
    return None


PROBES = (
    Probe(
        "cluster walls",
        Layer.NETWORK,
        "A member's kubectl: policies, services, pods, managed objects, others' namespaces, and a revoked token",
        ("K01", "K02", "K03", "K04", "K05", "K08", "K09"),
        _attack_cluster,
    ),
)
