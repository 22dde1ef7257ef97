"""Ports, brought to what is desired: made, put at their servers, taken from them, deleted.

The ports that a new server is made for are made by the server's own reconciler; afterwards they are in this one's care.
"""

from typing import ClassVar
from uuid import UUID

from platforma.clouds.openstack.errors import CloudNotFound
from platforma.clouds.openstack.protocol import ProjectCloud
from platforma.clouds.openstack.resources import CloudPort
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Port
from platforma.network.port_views import PortView, load_ports
from platforma.operations.reconciling import Changes, Reconciler, Step, again, done, failed, gone


class PortReconciler(Reconciler[PortView, ProjectCloud]):
    """A port, and the server that it is at."""

    kind: ClassVar[str] = "port"
    model = Port

    async def load(self, session: TenantSession, resource_id: UUID) -> PortView | None:
        """See Reconciler."""
        found = await load_ports(session, Port.id == resource_id)
        return found[0] if found else None

    def step(self, view: PortView, cloud: ProjectCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            return _delete(view, cloud)
        if view.cloud_id is not None and view.network.cloud_id is not None:
            ensure_port(view, cloud)  # its walls stand, whatever else it has to wait for
        server = view.server
        is_made_with_server = view.goes_with_server and view.cloud_id is None
        for each in (view.network, *view.groups, *((server,) if server and is_made_with_server else ())):
            if each.failure is not None:
                return failed(f"The port needs {each.what}, which is in error: {each.failure}")
            if not each.is_ready:
                return again(1, f"Waiting for {each.what}", progress=10)
        seen = ensure_port(view, cloud)
        if seen.cloud_id != view.cloud_id:
            return again(0, "Made the port", progress=50, changes=observed(view, seen))
        if seen.server_cloud_id is not None and (server is None or seen.server_cloud_id != server.cloud_id):
            cloud.detach_port(seen.server_cloud_id, seen.cloud_id)
            return again(1, "Detaching it from the server", progress=60)
        if server is None or seen.server_cloud_id is not None:
            return done(observed(view, seen))
        if server.failure is not None:
            return failed(f"The port is for {server.what}, which is in error: {server.failure}")
        if server.cloud_id is None:
            return again(1, f"Waiting for {server.what}", progress=70)
        cloud.attach_port(server.cloud_id, seen.cloud_id)
        return again(1, f"Attaching it to {server.what}", progress=80)


def ensure_port(view: PortView, cloud: ProjectCloud) -> CloudPort:
    """Have the port in the cloud as it should be, wherever it is."""
    return cloud.ensure_port(
        view.id,
        network_cloud_id=view.network.cloud_id or "",
        security_group_cloud_ids=view.group_cloud_ids,
        allowed_addresses=view.allowed_addresses,
        fixed_addresses=view.fixed_addresses,
    )


def observed(view: PortView, seen: CloudPort) -> Changes:
    """Return what to write down of a port."""
    return {view.row: {"cloud_id": seen.cloud_id, "addresses": [fixed.address for fixed in seen.fixed_ips]}}


def _delete(view: PortView, cloud: ProjectCloud) -> Step:
    if view.cloud_id is not None:
        try:
            at = cloud.get_port(view.cloud_id).server_cloud_id
        except CloudNotFound:
            at = None
        if at is not None:
            cloud.detach_port(at, view.cloud_id)
            return again(1, "Detaching it from the server", progress=40)
    is_gone = cloud.delete_port(view.id) and (view.cloud_id is None or cloud.delete_port(view.cloud_id))
    return gone() if is_gone else again(1, "Waiting for the port to go", progress=80)
