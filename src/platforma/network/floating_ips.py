"""Floating IPs: addresses of the external network that lead to servers."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import ResourceQuery, list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.compute.models import Server
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.network.errors import HasFloatingIp, InUse, LeadsNowhere, NoWayOutside
from platforma.network.models import FloatingIp, Network, Port, Router, Subnet
from platforma.network.ports import PortDetails, describe_ports, get_port
from platforma.network.schemas import FloatingIpAttach, FloatingIpCreate, NameChange
from platforma.network.service import apply_changes
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota

_SORTABLE = {
    "created_at": FloatingIp.created_at,
    "name": FloatingIp.name,
    "status": FloatingIp.status,
    "address": FloatingIp.address,
}


@dataclass(frozen=True)
class FloatingIpDetails:
    """A floating IP, and the port that it leads or will lead to."""

    floating_ip: FloatingIp
    port: PortDetails | None


async def list_floating_ips(session: ReadSession, query: ResourceQuery) -> tuple[list[FloatingIpDetails], str | None]:
    """Return a page of floating IPs with the ports that they lead to."""
    where = resource_filters(query, FloatingIp)
    rows, cursor = await list_page(session, FloatingIp, query, sortable=_SORTABLE, where=where)
    return await describe_floating_ips(session, rows), cursor


async def get_floating_ip(session: TenantSession, floating_ip_id: UUID) -> FloatingIpDetails:
    """Return a floating IP; raises NotFound."""
    row = await get_resource(session, FloatingIp, floating_ip_id)
    return (await describe_floating_ips(session, [row]))[0]


async def describe_floating_ips(session: TenantSession, rows: Sequence[FloatingIp]) -> list[FloatingIpDetails]:
    """Return the details of floating IPs, in their order."""
    ids = [row.port_id for row in rows if row.port_id is not None]
    by_id: dict[UUID, PortDetails] = {}
    if ids:
        ports = await session.scalars(select(Port).where(Port.id.in_(ids)))
        by_id = {details.port.id: details for details in await describe_ports(session, list(ports))}
    return [FloatingIpDetails(row, by_id.get(row.port_id) if row.port_id else None) for row in rows]


async def create_floating_ip(
    session: WriteSession, principal: Principal, body: FloatingIpCreate
) -> tuple[FloatingIpDetails, Operation]:
    """Wish for an address of the external network, which may lead to a port at once."""
    await check_quota(session, "floating_ips", func.count(), FloatingIp, 1)
    row = FloatingIp(name=body.name, description=body.description)
    if body.port_id is not None:
        row.port_id = await _find_target(session, body.port_id)
    session.add(row)
    return await _request(session, principal, row, "floating_ip.create")


async def change_floating_ip(
    session: WriteSession, principal: Principal, floating_ip_id: UUID, body: NameChange
) -> tuple[FloatingIpDetails, Operation]:
    """Rename a floating IP or describe it anew."""
    row = await get_resource(session, FloatingIp, floating_ip_id, for_change=True)
    apply_changes(row, body.model_dump(exclude_unset=True))
    return await _request(session, principal, row, "floating_ip.change")


async def attach_floating_ip(
    session: WriteSession, principal: Principal, floating_ip_id: UUID, body: FloatingIpAttach
) -> tuple[FloatingIpDetails, Operation]:
    """Lead a floating IP to a port. Raises InUse if it leads to another already, and what `_find_target` raises."""
    row = await get_resource(session, FloatingIp, floating_ip_id, for_change=True)
    port_id = await _find_target(session, body.port_id, except_for=row.id)
    present = (await describe_floating_ips(session, [row]))[0].port
    if present is not None and present.port.id != port_id:
        raise InUse(f"Floating IP {row.name} leads to {present.title}. Detach it first.")
    row.port_id = port_id
    return await _request(session, principal, row, "floating_ip.attach")


async def detach_floating_ip(
    session: WriteSession, principal: Principal, floating_ip_id: UUID
) -> tuple[FloatingIpDetails, Operation]:
    """Let a floating IP lead nowhere. Raises LeadsNowhere if that is so already."""
    row = await get_resource(session, FloatingIp, floating_ip_id, for_change=True)
    if row.port_id is None:
        raise LeadsNowhere(f"Floating IP {row.name} leads nowhere.")
    row.port_id = None
    return await _request(session, principal, row, "floating_ip.detach")


async def delete_floating_ip(
    session: WriteSession, principal: Principal, floating_ip_id: UUID
) -> tuple[FloatingIpDetails, Operation]:
    """Give a floating IP back. Raises InUse while it leads to a server."""
    row = await get_resource(session, FloatingIp, floating_ip_id, for_change=True)
    details = (await describe_floating_ips(session, [row]))[0]
    if details.port is not None:
        raise InUse(f"Floating IP {row.name} leads to {details.port.title}. Detach it first.")
    return details, await delete_resource(session, row, "floating_ip.delete", principal.email)


async def release_server(session: WriteSession, requested_by: str, server_id: UUID) -> None:
    """Let the floating IPs that lead to ports that go with a server lead nowhere. They stay."""
    ports = select(Port.id).where(Port.server_id == server_id, Port.goes_with_server)
    statement = select(FloatingIp).where(FloatingIp.port_id.in_(ports)).order_by(FloatingIp.id).with_for_update()
    for row in (await session.scalars(statement)).all():
        row.port_id = None
        await session.flush()
        if row.deletion_requested_at is None:
            await request_operation(session, action="floating_ip.detach", resource=row, requested_by=requested_by)


async def _find_target(session: WriteSession, port_id: UUID, *, except_for: UUID | None = None) -> UUID:
    """Return the port's id if a floating IP can lead there.

    Raises NotFound, HasFloatingIp if another does, NoWayOutside if no router leads outside from the port's network.
    """
    details = await get_port(session, port_id)
    network = await get_resource(session, Network, details.network.id, for_change=True)
    if details.server is not None:
        await get_resource(session, Server, details.server.id, for_change=True)
    await get_resource(session, Port, port_id, for_change=True)
    present = details.floating_ip
    if present is not None and present.id != except_for:
        raise HasFloatingIp(f"Floating IP {present.name} leads to {details.title} already. Detach it first.")
    ways = (
        select(Subnet.id)
        .join(Router, Router.id == Subnet.router_id)
        .where(
            Subnet.network_id == network.id,
            Subnet.ip_version == 4,
            Subnet.deletion_requested_at.is_(None),
            Router.has_external_gateway,
            Router.deletion_requested_at.is_(None),
        )
        .limit(1)
    )
    if await session.scalar(ways) is None:
        raise NoWayOutside(
            f"No IPv4 subnet of network {network.name} has a router that leads outside. Attach it to one first."
        )
    return port_id


async def _request(
    session: WriteSession, principal: Principal, row: FloatingIp, action: str
) -> tuple[FloatingIpDetails, Operation]:
    await session.flush()
    operation = await request_operation(session, action=action, resource=row, requested_by=principal.email)
    return (await describe_floating_ips(session, [row]))[0], operation
