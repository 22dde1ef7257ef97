"""What the matrix needs to know beside the inventory: whose id a name means, and what has to be so that the
owner's own request succeeds. Nothing here makes an operation safe; without it an operation fails the matrix.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from platforma.authentication.models import Session
from platforma.authentication.permissions import Role
from platforma.compute.models import Server
from platforma.database.tenant_session import WriteSession
from platforma.kubernetes.models import Namespace
from platforma.network.models import FloatingIp, Port
from platforma.storage.models import VolumeAttachment
from platforma.verification.inventory import ApiOperation, IdPlace
from platforma.verification.requests import UnknownPlaceError
from tests.isolation.world import Tenancy

ALIASES = {
    "remote_group_id": "security_group_id",
    "resource_id": "network_id",
    "source_volume_id": "volume_id",
}
"""Names of id places that mean the id of something with another name."""

NOBODYS = frozenset({"flavor_id", "image_id", "cluster_id", "volume_type_id"})
"""Ids of things that belong to the platform and that every tenant may name."""

NAMED_ANYWAY = frozenset({"cluster_id"})
"""Ids that may be left out while there is one of their kind; other tests may have made a second."""

OPEN_OPERATIONS = {
    "sign_in": "tests/authentication",
    "sign_out": "tests/authentication",
    "find_invitation": "tests/authentication",
    "accept_invitation": "tests/authentication",
    "receive_stripe_event": "tests/billing",
    "page_brand_stylesheet": "tests/portal",
    "page_show_brand_file": "tests/portal",
    "page_show_security_txt": "tests/portal",
    "page_show_sign_in": "tests/portal",
    "page_sign_in": "tests/portal",
    "page_sign_out": "tests/portal",
    "page_show_invitation": "tests/portal",
    "page_accept_invitation": "tests/portal",
}
"""Operations for people who have not signed in, and where they are attacked. Adding one is a decision."""

Situation = Callable[[WriteSession, Tenancy], Awaitable[None]]


def tenants_places(operation: ApiOperation) -> list[IdPlace]:
    """Return the places where a tenant's id can stand."""
    return [place for place in operation.id_places() if place.name not in NOBODYS]


def id_for(tenancy: Tenancy, place: IdPlace) -> str:
    """Return the tenant's own id for a place; raises UnknownPlaceError if nobody said whose it is."""
    name = ALIASES.get(place.name, place.name)
    if name not in tenancy.ids:
        raise UnknownPlaceError(f"The matrix does not know whose id {place} is. Furnish the world with it.")
    return str(tenancy.ids[name])


def never_existed() -> str:
    """Return an id that nobody has."""
    return str(uuid4())


def required_places(operation: ApiOperation) -> list[IdPlace]:
    """Return the places that must have an id for the request to be valid, and those that are named anyway."""
    required = operation.required_places()
    named = [place for place in operation.id_places() if place.location == "body" and place.name in NAMED_ANYWAY]
    return required + [place for place in named if place not in required]


async def _stopped_server(session: WriteSession, tenancy: Tenancy) -> None:
    server = await session.get(Server, tenancy.ids["server_id"])
    assert server
    server.desired_power = server.power_state = "stopped"


async def _busy_volume(session: WriteSession, tenancy: Tenancy) -> None:
    tenancy.ids["volume_id"] = await _one(session, select(VolumeAttachment.volume_id))


async def _members_session(session: WriteSession, tenancy: Tenancy) -> None:
    mine = select(Session.id).where(Session.member_id == tenancy.members[Role.MEMBER])
    tenancy.ids["session_id"] = await _one(session, mine)


async def _network_with_subnet(session: WriteSession, tenancy: Tenancy) -> None:
    tenancy.ids["network_id"] = await _one(session, select(Port.network_id).where(Port.id == tenancy.ids["port_id"]))


async def _led_floating_ip(session: WriteSession, tenancy: Tenancy) -> None:
    row = await session.get(FloatingIp, tenancy.ids["floating_ip_id"])
    assert row
    row.port_id = tenancy.ids["port_id"]


async def _free_port(session: WriteSession, tenancy: Tenancy) -> None:
    row = await session.get(FloatingIp, tenancy.ids["floating_ip_id"])
    assert row
    row.port_id = None


async def _unattached_port(session: WriteSession, tenancy: Tenancy) -> None:
    await _free_port(session, tenancy)
    row = await session.get(Port, tenancy.ids["port_id"])
    assert row
    row.server_id = None


async def _attached_port(session: WriteSession, tenancy: Tenancy) -> None:
    row = await session.get(Port, tenancy.ids["port_id"])
    assert row
    row.server_id = tenancy.ids["server_id"]


async def _one(session: WriteSession, statement: Any) -> UUID:
    found: UUID = (await session.scalars(statement)).one()
    return found


async def _namespace_of_the_example(session: WriteSession, tenancy: Tenancy) -> None:
    namespace = await session.get(Namespace, tenancy.ids["namespace_id"])
    assert namespace
    namespace.name = "web"


async def _server_of_the_example(session: WriteSession, tenancy: Tenancy) -> None:
    server = await session.get(Server, tenancy.ids["server_id"])
    assert server
    server.name = "web-1"


SITUATIONS: dict[str, Situation] = {
    "start_server": _stopped_server,
    "detach_volume": _busy_volume,
    "create_floating_ip": _free_port,
    "delete_floating_ip": _free_port,
    "attach_floating_ip": _free_port,
    "page_create_floating_ip": _free_port,
    "page_delete_floating_ip": _free_port,
    "page_attach_floating_ip": _free_port,
    "detach_interface": _attached_port,
    "page_show_detach_interface": _attached_port,
    "page_detach_chosen_interface": _attached_port,
    "delete_port": _unattached_port,
    "attach_port": _unattached_port,
    "page_delete_port": _unattached_port,
    "page_attach_chosen_port": _unattached_port,
    "detach_floating_ip": _led_floating_ip,
    "page_detach_floating_ip": _led_floating_ip,
    "revoke_member_session": _members_session,
    "page_start_server": _stopped_server,
    "page_detach_volume": _busy_volume,
    "page_delete_server": _server_of_the_example,
    "page_delete_namespace": _namespace_of_the_example,
}
"""What has to be so, by operation, for the owner's own request to succeed."""
