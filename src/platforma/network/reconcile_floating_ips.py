"""Floating IPs, brought to what is desired."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.openstack.errors import CloudNotFound
from platforma.clouds.openstack.protocol import NetworkCloud
from platforma.clouds.openstack.resources import CloudId
from platforma.database.tenant_session import TenantSession
from platforma.network.models import FloatingIp, Port, Router, Subnet
from platforma.network.port_views import load_ports
from platforma.operations.models import ResourceStatus
from platforma.operations.reconciling import Reconciler, Step, again, done, failed, gone


@dataclass(frozen=True)
class TargetView:
    """The port that a floating IP shall lead to. `failure` says why waiting for it would not help."""

    cloud_id: CloudId | None
    title: str
    is_way_open: bool
    failure: str | None


@dataclass(frozen=True)
class FloatingIpView:
    """A floating IP: what is desired, and what was last seen."""

    id: UUID
    cloud_id: CloudId | None
    address: str | None
    is_deleting: bool
    target: TargetView | None


class FloatingIpReconciler(Reconciler[FloatingIpView, NetworkCloud]):
    """An address of the external network, and the port that it leads to."""

    kind: ClassVar[str] = "floating_ip"
    model = FloatingIp

    async def load(self, session: TenantSession, resource_id: UUID) -> FloatingIpView | None:
        """See Reconciler."""
        row = await session.get(FloatingIp, resource_id)
        if row is None:
            return None
        target = None if row.port_id is None else await _load_target(session, row.port_id)
        return FloatingIpView(row.id, row.cloud_id, row.address, row.deletion_requested_at is not None, target)

    def step(self, view: FloatingIpView, cloud: NetworkCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            if not cloud.delete_floating_ip(view.id):
                return again(1, "Waiting for the floating IP to go", progress=50)
            return gone()
        if view.cloud_id is None:
            made = cloud.ensure_floating_ip(view.id, port_cloud_id=None)
            observed = {"cloud_id": made.cloud_id, "address": made.address}
            return again(0, "Got the address", progress=50, changes={(FloatingIp, view.id): observed})
        target = view.target
        if target is not None and target.cloud_id is None:
            if target.failure is not None:
                return failed(f"{target.title} is in error: {target.failure}")
            return again(1, f"Waiting for {target.title}", progress=60)
        if target is not None and not target.is_way_open:
            return again(1, "Waiting for the router that leads outside", progress=70)
        try:
            seen = cloud.ensure_floating_ip(view.id, port_cloud_id=target.cloud_id if target else None)
        except CloudNotFound:
            if target is None:
                raise
            return failed(
                f"The cloud finds no way from outside to {target.title}. Look whether its network's "
                "router is active, then try again."
            )
        if (seen.cloud_id, seen.address) != (view.cloud_id, view.address):
            observed = {"cloud_id": seen.cloud_id, "address": seen.address}
            return again(0, "Got the address", progress=80, changes={(FloatingIp, view.id): observed})
        return done()


async def _load_target(session: TenantSession, port_id: UUID) -> TargetView:
    (port,) = await load_ports(session, Port.id == port_id)
    ways = (
        select(Subnet.id)
        .join(Router, Router.id == Subnet.attached_router_id)
        .where(
            Subnet.network_id == select(Port.network_id).where(Port.id == port_id).scalar_subquery(),
            Subnet.ip_version == 4,
            Subnet.status == ResourceStatus.ACTIVE,
            Router.external_address.is_not(None),
        )
        .limit(1)
    )
    is_open = await session.scalar(ways) is not None
    blocking = port.server if port.server is not None and port.goes_with_server else port.as_needed
    return TargetView(port.cloud_id, blocking.what, is_open, blocking.failure)
