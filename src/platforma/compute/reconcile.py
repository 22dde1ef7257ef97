"""Servers and key pairs, brought to what is desired. Deletion of servers is in `reconcile_deletion`.

A server that has been seen to run holds data: if it is in error or has vanished, that is told and nothing is made in
its place. One that never ran is removed and made anew when its operation is tried again.
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound, CloudRefused
from platforma.clouds.openstack.protocol import ComputeCloud, ProjectCloud
from platforma.clouds.openstack.resources import CloudServer
from platforma.compute.models import KeyPair, Server
from platforma.compute.reconcile_deletion import delete_server
from platforma.compute.views import ServerView, load_server
from platforma.database.tenant_session import TenantSession
from platforma.kit.clock import Clock, utc_now
from platforma.network.reconcile_ports import ensure_port, observed
from platforma.operations.models import ResourceStatus
from platforma.operations.reconciling import Reconciler, RowKey, Step, again, done, failed, gone

CONSOLE_LINES = 1000
CONSOLE_CHARACTERS = 256 * 1024

_PASSING = frozenset(
    {"REBOOT", "HARD_REBOOT", "RESIZE", "REVERT_RESIZE", "MIGRATING", "REBUILD", "PASSWORD", "UNKNOWN", "DELETED"}
)
"""Nova's states that end by themselves, or by the server's end."""


@dataclass(frozen=True)
class KeyPairView:
    """A public key."""

    id: UUID
    public_key: str
    cloud_id: str | None
    is_deleting: bool


class KeyPairReconciler(Reconciler[KeyPairView, ComputeCloud]):
    """A public key as Nova puts it on new servers."""

    kind: ClassVar[str] = "key_pair"
    model = KeyPair

    async def load(self, session: TenantSession, resource_id: UUID) -> KeyPairView | None:
        """See Reconciler."""
        row = await session.get(KeyPair, resource_id)
        if row is None:
            return None
        return KeyPairView(row.id, row.public_key, row.cloud_id, row.deletion_requested_at is not None)

    def step(self, view: KeyPairView, cloud: ComputeCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            return gone() if cloud.delete_key_pair(view.id) else again(1, "Waiting for the key pair to go")
        key_pair = cloud.ensure_key_pair(view.id, public_key=view.public_key)
        if key_pair.name != view.cloud_id:
            return again(0, "Made the key pair", progress=60, changes={(KeyPair, view.id): {"cloud_id": key_pair.name}})
        return done()


class ServerReconciler(Reconciler[ServerView, ProjectCloud]):
    """A server with its ports: made, started, stopped, rebooted, its console read."""

    kind: ClassVar[str] = "server"
    model = Server

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def load(self, session: TenantSession, resource_id: UUID) -> ServerView | None:
        """See Reconciler."""
        return await load_server(session, resource_id)

    def step(self, view: ServerView, cloud: ProjectCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            return delete_server(view, cloud)
        if view.cloud_id is None:
            return _make(view, cloud)
        try:
            server = cloud.get_server(view.cloud_id)
        except CloudNotFound:
            return _vanished(view)
        return (
            _wait(view, server)
            or _reboot(view, server, cloud)
            or _fail_in_error(view, server)
            or _switch(view, server, cloud)
            or self._observe(view, server, cloud)
        )

    def _observe(self, view: ServerView, server: CloudServer, cloud: ProjectCloud) -> Step:
        """Mend the ports and write down what is seen. Nothing is left to be asked for after this."""
        changes: dict[RowKey, dict[str, Any]] = {}
        for port in view.lasting_ports:
            if port.cloud_id is None:
                continue  # an interface that is being attached
            seen = ensure_port(port, cloud)
            if seen.cloud_id != port.cloud_id:
                return failed(
                    f"The server's port on {port.network.what} is no longer the one that it was made with. "
                    "Detach that interface and attach the network anew, or ask your provider."
                )
            changes |= {
                row: {**values, "status": ResourceStatus.ACTIVE} for row, values in observed(port, seen).items()
            }
        own: dict[str, Any] = {"power_state": server.power}
        changes[view.row] = own
        if view.console_reads_requested == view.console_reads_done:
            return done(changes)
        own["console_reads_done"] = view.console_reads_requested
        try:
            output = cloud.console_output(server.cloud_id, lines=CONSOLE_LINES)
        except (CloudConflict, CloudRefused) as error:
            if server.status == "ACTIVE" and isinstance(error, CloudConflict):
                raise
            return failed(f"The server's console cannot be read as it is now. {error}", changes)
        own |= {"console_output": storable(output), "console_output_at": self._clock()}
        return done(changes)


def storable(output: str) -> str:
    """Return the end of a console's output as PostgreSQL can store it: what a guest writes may be anything."""
    return output.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[-CONSOLE_CHARACTERS:]


def _make(view: ServerView, cloud: ProjectCloud) -> Step:
    """Make the ports and then the server, one in a step, after what they need and what failed before."""
    if view.failed_cloud_id is not None:
        if not cloud.delete_server(view.failed_cloud_id):
            return again(1, "Removing the server that could not be made", progress=5)
        return again(
            0, "Removed the server that could not be made", progress=10, changes={view.row: {"failed_cloud_id": None}}
        )
    for needed in view.needed:
        if needed.failure is not None:
            return failed(f"The server needs {needed.what}, which is in error: {needed.failure}")
        if not needed.is_ready:
            return again(1, f"Waiting for {needed.what}", progress=10)
    for port in view.lasting_ports:
        seen = ensure_port(port, cloud)
        if seen.cloud_id != port.cloud_id:
            return again(0, f"Made the port on {port.network.what}", progress=20, changes=observed(port, seen))
    server = cloud.ensure_server(
        view.id,
        hostname=view.name,
        flavor_cloud_id=view.flavor_cloud_id,
        image_cloud_id=view.image_cloud_id,
        key_pair_name=view.key_pair.cloud_id if view.key_pair else None,
        port_cloud_ids=[port.cloud_id for port in view.lasting_ports if port.cloud_id is not None],
        metadata={"id": str(view.id)},
    )
    return again(0, "Asked for the server", progress=40, changes={view.row: {"cloud_id": server.cloud_id}})


def _vanished(view: ServerView) -> Step:
    if not view.was_made:
        return again(0, "The server went before it ran; making it anew", changes={view.row: {"cloud_id": None}})
    return failed(
        "The server is no longer in the cloud: it was deleted there. Delete it here too, and make another.",
        {view.row: {"power_state": "missing"}},
    )


def _wait(view: ServerView, server: CloudServer) -> Step | None:
    if server.status == "BUILD":
        return again(2, "The cloud builds the server", progress=60)
    if server.status == "ERROR":
        return None
    if server.task_state is not None or server.status in _PASSING:
        return again(1, f"The server is {(server.task_state or server.status).lower().replace('_', ' ')}", progress=70)
    return None


def _reboot(view: ServerView, server: CloudServer, cloud: ProjectCloud) -> Step | None:
    """Reboot once for what was asked for. The cloud's own count tells whether it heard us, if its answer was lost."""
    if view.reboots_requested == view.reboots_done:
        return None
    finished = {"reboots_done": view.reboots_requested, "reboots_before": None}
    if view.desired_power != "running" or server.status == "SHUTOFF":
        return again(0, "The server is stopped, and not rebooted", changes={view.row: finished})
    count = cloud.count_reboots(server.cloud_id)
    if view.reboots_before is None:
        return again(0, "Asking for the reboot", progress=20, changes={view.row: {"reboots_before": count}})
    if count > view.reboots_before:
        return again(0, "Rebooted", progress=80, changes={view.row: finished})
    if server.status == "ERROR" and not view.is_reboot_hard:
        return again(0, "The server is in error, and not rebooted", changes={view.row: finished})
    try:
        cloud.reboot_server(server.cloud_id, hard=view.is_reboot_hard)
    except CloudRefused as error:
        return failed(f"The server cannot be rebooted. {error}", {view.row: finished})
    return again(1, "Rebooting", progress=50)


def _fail_in_error(view: ServerView, server: CloudServer) -> Step | None:
    if server.status != "ERROR":
        return None
    fault = f" It says: {server.fault}" if server.fault else ""
    if view.was_made:
        return failed(f"The cloud reports that the server is in error.{fault}", {view.row: {"power_state": "error"}})
    return failed(
        f"The cloud could not make the server.{fault}",
        {view.row: {"cloud_id": None, "failed_cloud_id": server.cloud_id}},
    )


def _switch(view: ServerView, server: CloudServer, cloud: ProjectCloud) -> Step | None:
    """Start or stop the server."""
    if server.status not in ("ACTIVE", "SHUTOFF"):
        return failed(
            f"The server is in the state {server.status} in the cloud, which was not set here. Ask your provider.",
            {view.row: {"power_state": server.power}},
        )
    if view.desired_power == "running" and server.status == "SHUTOFF":
        cloud.start_server(server.cloud_id)
        return again(1, "Starting", progress=50)
    if view.desired_power == "stopped" and server.status == "ACTIVE":
        cloud.stop_server(server.cloud_id)
        return again(1, "Stopping", progress=50)
    return None
