"""Servers: listed, made, renamed and deleted. For start, stop, reboot and console see `power`."""

from uuid import UUID

from sqlalchemy import delete, func, select, update

from platforma.api.lists import list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.compute.catalogue import get_flavor, get_image
from platforma.compute.details import ServerDetails, describe_servers
from platforma.compute.errors import FlavorTooSmall
from platforma.compute.interfaces import add_interfaces, lock_networks, place_addresses, release_ports
from platforma.compute.models import Flavor, Image, KeyPair, Server, ServerSecurityGroup
from platforma.compute.schemas import ServerChange, ServerCreate, ServerQuery
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.network.floating_ips import release_server
from platforma.network.models import Port
from platforma.network.security_groups import choose_groups
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
        on_network = select(Port.server_id).where(Port.network_id == query.network_id)
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

    Raises NotFound for anything it names that is not there, FlavorTooSmall for an image that needs more, QuotaExceeded,
    and for its addresses what `place_addresses` and `check_addresses` raise.
    """
    flavor = await get_flavor(session, body.flavor_id)
    image = await get_image(session, body.image_id)
    _check_minimums(flavor, image)
    if body.key_pair_id is not None:
        await get_resource(session, KeyPair, body.key_pair_id, for_change=True)
    await lock_networks(session, body.network_ids)
    interfaces = await place_addresses(session, body.network_ids, body.fixed_addresses)
    group_ids = await choose_groups(session, body.security_group_ids)
    await _check_quotas(session, flavor)
    server = Server(
        name=body.name,
        description=body.description,
        flavor_id=flavor.id,
        image_id=image.id,
        key_pair_id=body.key_pair_id,
    )
    session.add(server)
    await session.flush()
    await add_interfaces(session, server, interfaces)
    session.add_all(ServerSecurityGroup(server_id=server.id, security_group_id=group_id) for group_id in group_ids)
    operation = await request_operation(session, action="server.create", resource=server, requested_by=principal.email)
    return (await describe_servers(session, [server]))[0], operation


async def change_server(
    session: WriteSession, principal: Principal, server_id: UUID, body: ServerChange
) -> tuple[ServerDetails, Operation]:
    """Rename a server, describe it anew or give it other security groups. The host name inside it stays.

    Raises NotFound, also for a security group.
    """
    changes = body.model_dump(exclude_unset=True)
    group_ids = await choose_groups(session, body.security_group_ids) if "security_group_ids" in changes else None
    server = await get_resource(session, Server, server_id, for_change=True)
    fields = {name: value for name, value in changes.items() if name != "security_group_ids"}
    former = server.name
    if fields or group_ids is None:
        apply_changes(server, fields)
    if server.name != former:
        its_ports = (Port.server_id == server.id, Port.goes_with_server, Port.name == former)
        await session.execute(update(Port).where(*its_ports).values(name=server.name))
    if group_ids is not None:
        await session.execute(delete(ServerSecurityGroup).where(ServerSecurityGroup.server_id == server.id))
        session.add_all(ServerSecurityGroup(server_id=server.id, security_group_id=group_id) for group_id in group_ids)
    operation = await request_operation(session, action="server.change", resource=server, requested_by=principal.email)
    return (await describe_servers(session, [server]))[0], operation


async def delete_server(
    session: WriteSession, principal: Principal, server_id: UUID
) -> tuple[ServerDetails, Operation]:
    """Wish a server away.

    Its volumes, its floating IPs and the ports that were not made for it are detached and stay; what is on its own
    disk is lost.
    """
    server = await get_resource(session, Server, server_id, for_change=True)
    await release_server(session, principal.email, server_id)
    await release_ports(session, principal, server_id)
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


async def _check_quotas(session: WriteSession, flavor: Flavor) -> None:
    await check_quota(session, "servers", func.count(), Server, 1)
    for resource, column, wanted in (
        ("vcpus", Flavor.vcpus, flavor.vcpus),
        ("ram_mib", Flavor.ram_mib, flavor.ram_mib),
    ):
        of_server = select(column).where(Flavor.id == Server.flavor_id).scalar_subquery()
        await check_quota(session, resource, func.sum(of_server), Server, wanted)
