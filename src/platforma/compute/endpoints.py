"""`/api/v1/servers`, `/key-pairs`, `/flavors` and `/images`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, ResourceQuery
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.compute import catalogue, interfaces, power, service
from platforma.compute import key_pairs as key_pair_service
from platforma.compute.details import ServerDetails
from platforma.compute.models import KeyPair
from platforma.compute.schemas import (
    CatalogueQuery,
    ConsoleOutput,
    FlavorOut,
    ImageOut,
    KeyPairAccepted,
    KeyPairCreate,
    KeyPairOut,
    NamedOut,
    RebootRequest,
    ServerChange,
    ServerCreate,
    ServerNetworkOut,
    ServerOut,
    ServerQuery,
    ServerVolumeOut,
)
from platforma.network.port_endpoints import accepted_port
from platforma.network.schemas import InterfaceCreate, PortAttach, PortOut
from platforma.operations.models import Operation
from platforma.operations.resources import get_resource
from platforma.operations.schemas import Accepted, OperationOut, ResourceOut

flavors = APIRouter(prefix="/flavors", tags=["Catalogue"], route_class=TenantRoute)
images = APIRouter(prefix="/images", tags=["Catalogue"], route_class=TenantRoute)
key_pairs = APIRouter(prefix="/key-pairs", tags=["Key pairs"], route_class=TenantRoute)
ports = APIRouter(prefix="/ports", tags=["Ports"], route_class=TenantRoute)
servers = APIRouter(prefix="/servers", tags=["Servers"], route_class=TenantRoute)

Browses = Annotated[Reading, may_read(Permission.CATALOGUE_READ)]
Reads = Annotated[Reading, may_read(Permission.SERVERS_READ)]
Writes = Annotated[Writing, may_write(Permission.SERVERS_WRITE)]


@flavors.get("")
async def list_flavors(query: Annotated[CatalogueQuery, Query()], reading: Browses) -> Page[FlavorOut]:
    """Sizes of servers."""
    rows, cursor = await catalogue.list_flavors(reading.session, query)
    return Page(items=[FlavorOut.model_validate(row) for row in rows], next=cursor)


@flavors.get("/{flavor_id}")
async def get_flavor(flavor_id: UUID, reading: Browses) -> FlavorOut:
    """One size of server."""
    return FlavorOut.model_validate(await catalogue.get_flavor(reading.session, flavor_id))


@images.get("")
async def list_images(query: Annotated[CatalogueQuery, Query()], reading: Browses) -> Page[ImageOut]:
    """Images that servers start from."""
    rows, cursor = await catalogue.list_images(reading.session, query)
    return Page(items=[ImageOut.model_validate(row) for row in rows], next=cursor)


@images.get("/{image_id}")
async def get_image(image_id: UUID, reading: Browses) -> ImageOut:
    """One image."""
    return ImageOut.model_validate(await catalogue.get_image(reading.session, image_id))


@key_pairs.get("")
async def list_key_pairs(query: Annotated[ResourceQuery, Query()], reading: Reads) -> Page[KeyPairOut]:
    """Public keys for new servers."""
    rows, cursor = await key_pair_service.list_key_pairs(reading.session, query)
    return Page(items=[KeyPairOut.model_validate(row) for row in rows], next=cursor)


@key_pairs.post("", status_code=202)
async def create_key_pair(body: KeyPairCreate, writing: Writes) -> KeyPairAccepted:
    """Import a public key; or leave it out, and get a new private key in this answer and never again."""
    key_pair, operation, private_key = await key_pair_service.create_key_pair(writing.session, writing.principal, body)
    return KeyPairAccepted(
        operation=OperationOut.model_validate(operation),
        resource=KeyPairOut.model_validate(key_pair),
        private_key=private_key,
    )


@key_pairs.get("/{key_pair_id}")
async def get_key_pair(key_pair_id: UUID, reading: Reads) -> KeyPairOut:
    """One public key."""
    return KeyPairOut.model_validate(await get_resource(reading.session, KeyPair, key_pair_id))


@key_pairs.delete("/{key_pair_id}", status_code=202)
async def delete_key_pair(key_pair_id: UUID, writing: Writes) -> Accepted[KeyPairOut]:
    """Delete a key pair. Servers keep the key that they were made with."""
    key_pair, operation = await key_pair_service.delete_key_pair(writing.session, writing.principal, key_pair_id)
    return Accepted(operation=OperationOut.model_validate(operation), resource=KeyPairOut.model_validate(key_pair))


@servers.get("")
async def list_servers(query: Annotated[ServerQuery, Query()], reading: Reads) -> Page[ServerOut]:
    """Servers with their networks, security groups and volumes."""
    rows, cursor = await service.list_servers(reading.session, query)
    return Page(items=[server_out(row) for row in rows], next=cursor)


@servers.post("", status_code=202)
async def create_server(body: ServerCreate, writing: Writes) -> Accepted[ServerOut]:
    """Make a server."""
    return accepted_server(*await service.create_server(writing.session, writing.principal, body))


@servers.get("/{server_id}")
async def get_server(server_id: UUID, reading: Reads) -> ServerOut:
    """One server with its networks, security groups and volumes."""
    return server_out(await service.get_server(reading.session, server_id))


@servers.patch("/{server_id}", status_code=202)
async def change_server(server_id: UUID, body: ServerChange, writing: Writes) -> Accepted[ServerOut]:
    """Rename a server, describe it anew, or give it other security groups. The host name inside it stays."""
    return accepted_server(*await service.change_server(writing.session, writing.principal, server_id, body))


@servers.delete("/{server_id}", status_code=202)
async def delete_server(server_id: UUID, writing: Writes) -> Accepted[ServerOut]:
    """Delete a server. Its volumes and the ports that were not made for it are detached, and stay."""
    return accepted_server(*await service.delete_server(writing.session, writing.principal, server_id))


@servers.post("/{server_id}/start", status_code=202)
async def start_server(server_id: UUID, writing: Writes) -> Accepted[ServerOut]:
    """Start a server."""
    return accepted_server(*await power.start_server(writing.session, writing.principal, server_id))


@servers.post("/{server_id}/stop", status_code=202)
async def stop_server(server_id: UUID, writing: Writes) -> Accepted[ServerOut]:
    """Stop a server. It keeps its disk, its addresses and its volumes."""
    return accepted_server(*await power.stop_server(writing.session, writing.principal, server_id))


@servers.post("/{server_id}/reboot", status_code=202)
async def reboot_server(server_id: UUID, body: RebootRequest, writing: Writes) -> Accepted[ServerOut]:
    """Reboot a server that runs."""
    return accepted_server(*await power.reboot_server(writing.session, writing.principal, server_id, hard=body.hard))


@servers.post("/{server_id}/console-output", status_code=202)
async def fetch_console_output(server_id: UUID, writing: Writes) -> Accepted[ServerOut]:
    """Fetch what the server has written to its console; get it when the operation has succeeded."""
    return accepted_server(*await power.fetch_console_output(writing.session, writing.principal, server_id))


@servers.get("/{server_id}/console-output")
async def get_console_output(server_id: UUID, reading: Reads) -> ConsoleOutput:
    """Get the console output that was fetched last; null if it never was."""
    server = await power.get_console_output(reading.session, server_id)
    return ConsoleOutput(output=server.console_output, fetched_at=server.console_output_at)


@servers.post("/{server_id}/interfaces", status_code=202)
async def attach_interface(server_id: UUID, body: InterfaceCreate, writing: Writes) -> Accepted[PortOut]:
    """Put a server on a network, where it gets a port that goes with it."""
    return accepted_port(*await interfaces.attach_interface(writing.session, writing.principal, server_id, body))


@ports.post("/{port_id}/attach", status_code=202)
async def attach_port(port_id: UUID, body: PortAttach, writing: Writes) -> Accepted[PortOut]:
    """Put a port that is free at a server."""
    return accepted_port(*await interfaces.attach_port(writing.session, writing.principal, port_id, body))


@servers.delete("/{server_id}/interfaces/{port_id}", status_code=202)
async def detach_interface(server_id: UUID, port_id: UUID, writing: Writes) -> Accepted[PortOut]:
    """Take a port from a server. One that was made for the server is deleted, any other stays."""
    return accepted_port(*await interfaces.detach_interface(writing.session, writing.principal, server_id, port_id))


def server_out(details: ServerDetails) -> ServerOut:
    """Describe a server."""
    server = details.server
    fields = {name: getattr(server, name) for name in (*ResourceOut.model_fields, "desired_power", "power_state")}
    return ServerOut(
        **fields,
        flavor=FlavorOut.model_validate(details.flavor),
        image=NamedOut.model_validate(details.image),
        key_pair=NamedOut.model_validate(details.key_pair) if details.key_pair else None,
        networks=[
            ServerNetworkOut(id=network.id, name=network.name, port_id=port.id, addresses=port.addresses)
            for port, network in ((each.port, each.network) for each in details.interfaces)
        ],
        security_groups=[NamedOut.model_validate(group) for group in details.security_groups],
        volumes=[
            ServerVolumeOut(
                id=attached.volume.id,
                name=attached.volume.name,
                size_gib=attached.volume.size_gib,
                device=attached.attachment.device,
                status=attached.attachment.status,
            )
            for attached in details.volumes
        ],
    )


def accepted_server(details: ServerDetails, operation: Operation) -> Accepted[ServerOut]:
    """Answer a change of a server."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=server_out(details))
