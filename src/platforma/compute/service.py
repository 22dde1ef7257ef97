"""Servers: listed, made, renamed and deleted. For start, stop, reboot and console see `power`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.compute.catalogue import get_flavor, get_image
from platforma.compute.details import ServerDetails, describe_servers
from platforma.compute.errors import FlavorTooSmall, NoAddresses, NoDefaultGroup
from platforma.compute.models import Flavor, Image, KeyPair, Server, ServerNetwork, ServerSecurityGroup
from platforma.compute.schemas import ServerChange, ServerCreate, ServerQuery
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.network.floating_ips import release_server
from platforma.network.models import Network, SecurityGroup, Subnet
from platforma.network.service import apply_changes
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.storage.models import VolumeAttachment
from platforma.tenants.quotas import check_quota

_SORTABLE = {"created_at": Server.created_at, "name": Server.name, "status": Server.status}


async def list_servers(session: ReadSession, query: ServerQuery) -> tuple[list[ServerDetails], str | None]:
    """Return a page of servers with their details."""
    where = resource_filters(query, Server)
    if query.network_id is not None:
        on_network = select(ServerNetwork.server_id).where(ServerNetwork.network_id == query.network_id)
        where.append(Server.id.in_(on_network))
    if query.flavor_id is not None:
        where.append(Server.flavor_id == query.flavor_id)
    if query.power_state is not None:
        where.append(Server.power_state == query.power_state)
    rows, cursor = await list_page(session, Server, query, sortable=_SORTABLE, where=where)
    return await describe_servers(session, rows), cursor


async def get_server(session: TenantSession, server_id: UUID) -> ServerDetails:
    """Return a server with its details; raises NotFound."""
    return (await describe_servers(session, [await get_resource(session, Server, server_id)]))[0]


async def create_server(
    session: WriteSession, principal: Principal, body: ServerCreate
) -> tuple[ServerDetails, Operation]:
    """Wish for a server.

    Raises NotFound for anything it names that is not there, NoAddresses for a network without a subnet,
    FlavorTooSmall for an image that needs more, QuotaExceeded.
    """
    flavor = await get_flavor(session, body.flavor_id)
    image = await get_image(session, body.image_id)
    _check_minimums(flavor, image)
    if body.key_pair_id is not None:
        await get_resource(session, KeyPair, body.key_pair_id, for_change=True)
    await _check_networks(session, body.network_ids)
    group_ids = await _check_groups(session, body.security_group_ids)
    await _check_quotas(session, flavor, ports=len(body.network_ids))
    server = Server(
        name=body.name,
        description=body.description,
        flavor_id=flavor.id,
        image_id=image.id,
        key_pair_id=body.key_pair_id,
    )
    session.add(server)
    await session.flush()
    for network_id in body.network_ids:
        # One at a time: the ids, which are in the order of their making, keep the order of the interfaces.
        session.add(ServerNetwork(server_id=server.id, network_id=network_id))
        await session.flush()
    session.add_all(ServerSecurityGroup(server_id=server.id, security_group_id=group_id) for group_id in group_ids)
    operation = await request_operation(session, action="server.create", resource=server, requested_by=principal.email)
    return (await describe_servers(session, [server]))[0], operation


async def change_server(
    session: WriteSession, principal: Principal, server_id: UUID, body: ServerChange
) -> tuple[ServerDetails, Operation]:
    """Rename a server or describe it anew. The host name inside it stays."""
    server = await get_resource(session, Server, server_id, for_change=True)
    apply_changes(server, body.model_dump(exclude_unset=True))
    operation = await request_operation(session, action="server.change", resource=server, requested_by=principal.email)
    return (await describe_servers(session, [server]))[0], operation


async def delete_server(
    session: WriteSession, principal: Principal, server_id: UUID
) -> tuple[ServerDetails, Operation]:
    """Wish a server away. Its volumes and floating IPs are detached and stay; what is on its own disk is lost."""
    server = await get_resource(session, Server, server_id, for_change=True)
    await release_server(session, principal.email, server_id)
    attachments = await session.scalars(
        select(VolumeAttachment).where(VolumeAttachment.server_id == server_id).order_by(VolumeAttachment.id)
    )
    for attachment in attachments:
        attachment.detach_requested_at = attachment.detach_requested_at or func.now()
        attachment.status = "detaching"
    operation = await delete_resource(session, server, "server.delete", principal.email)
    return (await describe_servers(session, [server]))[0], operation


def _check_minimums(flavor: Flavor, image: Image) -> None:
    if image.minimum_disk_gib > flavor.disk_gib or image.minimum_ram_mib > flavor.ram_mib:
        raise FlavorTooSmall(
            f"Image {image.name} needs at least {image.minimum_disk_gib} GiB of disk and {image.minimum_ram_mib} MiB "
            f"of memory; flavour {flavor.name} has {flavor.disk_gib} GiB and {flavor.ram_mib} MiB."
        )


async def _check_networks(session: TenantSession, network_ids: Sequence[UUID]) -> None:
    """Lock the networks, in one order for all; raise NotFound, or NoAddresses for one without a subnet."""
    networks = [await get_resource(session, Network, id_, for_change=True) for id_ in sorted(network_ids)]
    statement = select(Subnet.network_id).where(
        Subnet.network_id.in_(network_ids), Subnet.deletion_requested_at.is_(None)
    )
    with_subnet = set(await session.scalars(statement))
    for network in networks:
        if network.id not in with_subnet:
            raise NoAddresses(f"Network {network.name} has no subnet. Add one first.")


async def _check_groups(session: TenantSession, group_ids: Sequence[UUID] | None) -> list[UUID]:
    """Lock the security groups and return their ids: those that are named, or the default group."""
    if group_ids is None:
        default = await session.scalar(select(SecurityGroup.id).where(SecurityGroup.is_default))
        if default is None:
            raise NoDefaultGroup("Your cloud is still being set up. Try again in a moment, or name a security group.")
        group_ids = [default]
    return [(await get_resource(session, SecurityGroup, id_, for_change=True)).id for id_ in sorted(group_ids)]


async def _check_quotas(session: WriteSession, flavor: Flavor, *, ports: int) -> None:
    await check_quota(session, "servers", func.count(), Server, 1)
    for resource, column, wanted in (
        ("vcpus", Flavor.vcpus, flavor.vcpus),
        ("ram_mib", Flavor.ram_mib, flavor.ram_mib),
    ):
        of_server = select(column).where(Flavor.id == Server.flavor_id).scalar_subquery()
        await check_quota(session, resource, func.sum(of_server), Server, wanted)
    await check_quota(session, "ports", func.count(), ServerNetwork, ports)
