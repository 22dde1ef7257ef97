"""`platforma cluster`."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from platforma.cli.console import Json, Reason, Yes, acting, checked, confirm, fail, run, show, show_table
from platforma.kubernetes.models import Cluster, ClusterStatus
from platforma.operator import clusters as service
from platforma.operator.routes import Acting
from platforma.operator.schemas import ClusterChange, ClusterCreate, ClusterOut, ClusterQuery, KubeconfigChange

app = typer.Typer(help="Kubernetes clusters in which tenants have namespaces.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The cluster's short name, which tenants see.")]
Kubeconfig = Annotated[
    Path,
    typer.Option(
        "--kubeconfig",
        help="An administrator's kubeconfig that stands by itself: kubectl config view --minify --flatten --raw",
        exists=True,
        dir_okay=False,
    ),
]
Options = Annotated[
    Path | None,
    typer.Option(
        "--options",
        help="What cannot be seen in the cluster, as JSON: see docs/kubernetes.md.",
        exists=True,
        dir_okay=False,
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the examination; exit code 1 unless it is ready then.")]

POLL_SECONDS = 0.3
WAIT_SECONDS = 120.0


@app.command("add")
def add_cluster(
    name: Name,
    kubeconfig: Kubeconfig,
    options: Options = None,
    wait: Wait = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Connect a cluster. A provisioner examines it, and tenants can use it when it is ready."""
    wanted = checked(ClusterCreate, name=name, kubeconfig=_read(kubeconfig), options=_read_options(options))
    _act(lambda operator: service.add_cluster(operator, wanted), wait, reason, as_json, "connected")


@app.command("list")
def list_clusters(as_json: Json = False) -> None:
    """List the clusters with their status."""

    async def work() -> list[dict[str, Any]]:
        async with acting(None) as operator:
            rows, _cursor = await service.list_clusters(operator, ClusterQuery(sort="name", limit=200))
            return [ClusterOut.model_validate(row).model_dump(mode="json") for row in rows]

    columns = ["name", "status", "status_reason", "version", "server", "checked_at"]
    show_table(run(work()), columns, as_json, "No cluster yet: platforma cluster add")


@app.command("check")
def check_cluster(name: Name, wait: Wait = False, reason: Reason = None, as_json: Json = False) -> None:
    """Examine a cluster now, and mend what Platforma has put there for all tenants."""

    async def check(operator: Acting) -> Cluster:
        return await service.check_cluster(operator, await service.find_cluster_id(operator, name))

    _act(check, wait, reason, as_json, "being examined")


@app.command("change")
def change_cluster(
    name: Name,
    options: Options = None,
    wait: Wait = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Replace what was said of a cluster, by nothing if no options are given; it is examined again."""
    wanted = checked(ClusterChange, options=_read_options(options))

    async def change(operator: Acting) -> Cluster:
        return await service.change_cluster(operator, await service.find_cluster_id(operator, name), wanted)

    _act(change, wait, reason, as_json, "changed")


@app.command("replace")
def replace_kubeconfig(
    name: Name, kubeconfig: Kubeconfig, wait: Wait = False, reason: Reason = None, as_json: Json = False
) -> None:
    """Replace the administrator's kubeconfig of a cluster; it is examined again."""
    wanted = checked(KubeconfigChange, kubeconfig=_read(kubeconfig))

    async def replace(operator: Acting) -> Cluster:
        cluster_id = await service.find_cluster_id(operator, name)
        return await service.replace_kubeconfig(operator, cluster_id, wanted.kubeconfig)

    _act(replace, wait, reason, as_json, "connected anew")


@app.command("remove")
def remove_cluster(name: Name, yes: Yes = False, reason: Reason = None, as_json: Json = False) -> None:
    """Forget a cluster in which no tenant has anything. What Platforma put there for all tenants stays."""
    confirm(f"Forget the cluster {name} and its credential?", is_sure=yes)

    async def work() -> None:
        async with acting(reason) as operator:
            await service.remove_cluster(operator, await service.find_cluster_id(operator, name))

    run(work())
    show({"name": name, "removed": True}, as_json, f"Cluster {name} is forgotten.")


def _act(act: Callable[[Acting], Awaitable[Cluster]], wait: bool, reason: str | None, as_json: bool, done: str) -> None:
    """Act on a cluster, wait for its examination if asked to, and say where it stands."""

    async def work() -> ClusterOut:
        async with acting(reason) as operator:
            cluster = await act(operator)
            if wait:
                cluster = await _wait(operator, cluster)
            return ClusterOut.model_validate(cluster)

    cluster = run(work())
    if wait and cluster.status != ClusterStatus.READY:
        fail(f"Cluster {cluster.name} is {cluster.status}: {cluster.status_reason or 'the examination goes on'}")
    words = f"Cluster {cluster.name} is ready." if wait else f"Cluster {cluster.name} is {done}: platforma cluster list"
    show(cluster.model_dump(mode="json"), as_json, words)


async def _wait(operator: Acting, cluster: Cluster) -> Cluster:
    deadline = time.monotonic() + WAIT_SECONDS
    while cluster.check_requested_at is not None and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        cluster = await service.get_cluster(operator, cluster.id)
    return cluster


def _read_options(path: Path | None) -> Any:
    try:
        return json.loads(_read(path)) if path is not None else {}
    except ValueError as error:
        fail(f"{path}: {error}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        fail(f"{path} is no text.")
