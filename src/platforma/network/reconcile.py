"""Networks with their subnets, routers, and security groups with their rules, brought to what is desired.

The model to follow for other domains: see `platforma.operations.reconciling` for the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast
from uuid import UUID

from sqlalchemy import or_, select

from platforma.clouds.openstack.protocol import NetworkCloud
from platforma.clouds.openstack.resources import CloudId, Ipv6Mode
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Network, Router, Subnet
from platforma.operations.models import ResourceStatus
from platforma.operations.reconciling import Reconciler, RowKey, Step, again, done, gone

_DESCRIPTION_LENGTH = 255


@dataclass(frozen=True)
class RouterView:
    """A router as a subnet or the router's own reconciler sees it."""

    id: UUID
    name: str
    description: str
    cloud_id: CloudId | None
    external_address: str | None
    has_external_gateway: bool
    is_deleting: bool
    subnet_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class SubnetView:
    """A subnet: what is desired, and the cloud id last seen."""

    id: UUID
    name: str
    router_id: UUID | None
    attached_router_id: UUID | None
    ip_version: int
    cidr: str
    gateway_ip: str | None
    has_dhcp: bool
    ipv6_mode: Ipv6Mode
    dns_nameservers: tuple[str, ...]
    cloud_id: CloudId | None
    is_deleting: bool

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (Subnet, self.id)


@dataclass(frozen=True)
class NetworkView:
    """A network, its subnets, and the routers that these are or should be attached to."""

    id: UUID
    name: str
    description: str
    cloud_id: CloudId | None
    is_deleting: bool
    subnets: tuple[SubnetView, ...]
    routers: Mapping[UUID, RouterView]


class NetworkReconciler(Reconciler[NetworkView, NetworkCloud]):
    """A network, its subnets, and their attachment to routers."""

    kind: ClassVar[str] = "network"
    model = Network

    async def load(self, session: TenantSession, resource_id: UUID) -> NetworkView | None:
        """See Reconciler."""
        network = await session.get(Network, resource_id)
        if network is None:
            return None
        statement = select(Subnet).where(Subnet.network_id == resource_id).order_by(Subnet.created_at, Subnet.id)
        subnets = (await session.scalars(statement)).all()
        router_ids = {subnet.router_id for subnet in subnets} | {subnet.attached_router_id for subnet in subnets}
        routers = await session.scalars(select(Router).where(Router.id.in_(router_ids - {None})))
        return NetworkView(
            network.id,
            network.name,
            network.description,
            network.cloud_id,
            network.deletion_requested_at is not None,
            tuple(_view_subnet(subnet) for subnet in subnets),
            {router.id: _view_router(router) for router in routers},
        )

    def step(self, view: NetworkView, cloud: NetworkCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            return _delete_network(view, cloud)
        network = cloud.ensure_network(view.id, description=describe(view.name, view.description))
        if network.cloud_id != view.cloud_id:
            return again(
                0, "Made the network", progress=30, changes={(Network, view.id): {"cloud_id": network.cloud_id}}
            )
        return (
            _delete_subnets(view, cloud)
            or _make_subnets(view, cloud, network.cloud_id)
            or _detach_subnets(view, cloud)
            or _attach_subnets(view, cloud)
            or done({subnet.row: {"status": ResourceStatus.ACTIVE, "status_reason": None} for subnet in view.subnets})
        )


class RouterReconciler(Reconciler[RouterView, NetworkCloud]):
    """A router and its gateway to the outside. Its subnets are attached by their networks."""

    kind: ClassVar[str] = "router"
    model = Router

    async def load(self, session: TenantSession, resource_id: UUID) -> RouterView | None:
        """See Reconciler."""
        router = await session.get(Router, resource_id)
        if router is None:
            return None
        subnets = await session.scalars(
            select(Subnet.id).where(or_(Subnet.router_id == resource_id, Subnet.attached_router_id == resource_id))
        )
        return _view_router(router, tuple(subnets))

    def step(self, view: RouterView, cloud: NetworkCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            if not cloud.delete_router(view.id):
                return again(1, "Waiting for the router to go", progress=50)
            return gone({(Subnet, id_): {"router_id": None, "attached_router_id": None} for id_ in view.subnet_ids})
        router = cloud.ensure_router(
            view.id,
            has_external_gateway=view.has_external_gateway,
            description=describe(view.name, view.description),
        )
        if (router.cloud_id, router.external_address) != (view.cloud_id, view.external_address):
            observed = {"cloud_id": router.cloud_id, "external_address": router.external_address}
            return again(0, "Made the router", progress=60, changes={(Router, view.id): observed})
        return done()


def describe(name: str, description: str) -> str:
    """Return what the cloud shows beside the derived name, so that its operator can tell objects apart."""
    return (f"{name}: {description}" if description else name)[:_DESCRIPTION_LENGTH]


def _delete_network(view: NetworkView, cloud: NetworkCloud) -> Step:
    """Detach what is attached; delete the subnets with the network, and their rows with its row."""
    for subnet in view.subnets:
        if subnet.attached_router_id is not None:
            return _detach(view, subnet, cloud)
    if not cloud.delete_network(view.id):
        return again(1, "Waiting for the network to go", progress=50)
    return gone(deletions=[subnet.row for subnet in view.subnets])


def _delete_subnets(view: NetworkView, cloud: NetworkCloud) -> Step | None:
    """Delete the first subnet that is not desired any more."""
    for subnet in view.subnets:
        if subnet.is_deleting:
            if subnet.attached_router_id is not None:
                return _detach(view, subnet, cloud)
            if not cloud.delete_subnet(subnet.id):
                return again(1, f"Waiting for subnet {subnet.name} to go", progress=50)
            return again(0, f"Deleted subnet {subnet.name}", progress=60, deletions=[subnet.row])
    return None


def _make_subnets(view: NetworkView, cloud: NetworkCloud, network_cloud_id: CloudId) -> Step | None:
    """Make, find or mend the subnets, at most one new one in a step."""
    for subnet in view.subnets:
        seen = cloud.ensure_subnet(
            subnet.id,
            network_cloud_id=network_cloud_id,
            cidr=subnet.cidr,
            ip_version=subnet.ip_version,
            gateway_ip=subnet.gateway_ip,
            has_dhcp=subnet.has_dhcp,
            ipv6_mode=subnet.ipv6_mode,
            dns_nameservers=subnet.dns_nameservers,
            description=subnet.name,
        )
        if (seen.cloud_id, seen.gateway_ip) != (subnet.cloud_id, subnet.gateway_ip):
            observed = {"cloud_id": seen.cloud_id, "gateway_ip": seen.gateway_ip}
            return again(0, f"Made subnet {subnet.name}", progress=60, changes={subnet.row: observed})
    return None


def _detach_subnets(view: NetworkView, cloud: NetworkCloud) -> Step | None:
    """Detach the first subnet that is attached where it should not be."""
    for subnet in view.subnets:
        if subnet.attached_router_id not in (None, subnet.router_id):
            return _detach(view, subnet, cloud)
    return None


def _detach(view: NetworkView, subnet: SubnetView, cloud: NetworkCloud) -> Step:
    router = view.routers.get(subnet.attached_router_id) if subnet.attached_router_id else None
    if router is not None and router.cloud_id is not None and subnet.cloud_id is not None and not router.is_deleting:
        cloud.detach_subnet(router.cloud_id, subnet.cloud_id)
    return again(0, f"Detached subnet {subnet.name}", progress=40, changes={subnet.row: {"attached_router_id": None}})


def _attach_subnets(view: NetworkView, cloud: NetworkCloud) -> Step | None:
    """Attach each subnet to its router, as seen in the cloud.

    The intention is recorded first: an attachment whose answer was lost must be found by whoever detaches.
    """
    for subnet in view.subnets:
        router = view.routers.get(subnet.router_id) if subnet.router_id else None
        if router is None or router.is_deleting or subnet.cloud_id is None:
            continue
        if router.cloud_id is None:
            return again(1, f"Waiting for router {router.name}", progress=70)
        if subnet.attached_router_id != router.id:
            intention = {subnet.row: {"attached_router_id": router.id}}
            return again(0, f"Attaching subnet {subnet.name}", progress=80, changes=intention)
        if subnet.cloud_id not in cloud.list_router_subnets(router.cloud_id):
            cloud.attach_subnet(router.cloud_id, subnet.cloud_id)
            return again(0, f"Attached subnet {subnet.name}", progress=90)
    return None


def _view_subnet(subnet: Subnet) -> SubnetView:
    return SubnetView(
        subnet.id,
        subnet.name,
        subnet.router_id,
        subnet.attached_router_id,
        subnet.ip_version,
        subnet.cidr,
        subnet.gateway_ip,
        subnet.has_dhcp,
        cast(Ipv6Mode, subnet.ipv6_mode or "slaac"),
        tuple(subnet.dns_nameservers),
        subnet.cloud_id,
        subnet.deletion_requested_at is not None,
    )


def _view_router(router: Router, subnet_ids: tuple[UUID, ...] = ()) -> RouterView:
    return RouterView(
        router.id,
        router.name,
        router.description,
        router.cloud_id,
        router.external_address,
        router.has_external_gateway,
        router.deletion_requested_at is not None,
        subnet_ids,
    )
