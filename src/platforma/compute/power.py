"""Servers: started, stopped, rebooted, and their console read."""

from uuid import UUID

from sqlalchemy import func, select

from platforma.authentication.principals import Principal
from platforma.compute.details import ServerDetails, describe_servers
from platforma.compute.errors import NotMade, NotRunning
from platforma.compute.models import Server
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.operations.models import Operation, OperationStatus, ResourceStatus
from platforma.operations.resources import get_resource
from platforma.operations.service import request_operation

_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)


async def start_server(session: WriteSession, principal: Principal, server_id: UUID) -> tuple[ServerDetails, Operation]:
    """Wish that a server runs. One that does is left as it is."""
    server = await _get_made_server(session, server_id)
    server.desired_power = "running"
    return await _request(session, principal, server, "server.start")


async def stop_server(session: WriteSession, principal: Principal, server_id: UUID) -> tuple[ServerDetails, Operation]:
    """Wish that a server is stopped. One that is stopped is left as it is; a reboot that waits is dropped."""
    server = await _get_made_server(session, server_id)
    server.desired_power = "stopped"
    return await _request(session, principal, server, "server.stop")


async def reboot_server(
    session: WriteSession, principal: Principal, server_id: UUID, *, hard: bool
) -> tuple[ServerDetails, Operation]:
    """Wish for one reboot; one that is still waited for is the same. Raises NotRunning for a stopped server."""
    server = await _get_made_server(session, server_id)
    if server.desired_power != "running" or (server.power_state != "running" and not hard):
        raise NotRunning(f"Server {server.name} does not run. Start it instead.")
    if server.reboots_requested == server.reboots_done:
        server.reboots_requested += 1
        server.is_reboot_hard = False
    server.is_reboot_hard = server.is_reboot_hard or hard
    return await _request(session, principal, server, "server.reboot")


async def fetch_console_output(
    session: WriteSession, principal: Principal, server_id: UUID
) -> tuple[ServerDetails, Operation]:
    """Wish that a server's console is read; what was read is then in the server's row."""
    server = await _get_made_server(session, server_id)
    if server.console_reads_requested == server.console_reads_done:
        server.console_reads_requested += 1
    return await _request(session, principal, server, "server.console_output")


async def get_console_output(session: TenantSession, server_id: UUID) -> Server:
    """Return the server with the console output that was fetched last; raises NotFound."""
    return await get_resource(session, Server, server_id)


def require_made(server: Server) -> None:
    """Raise NotMade unless the server has been seen to be made."""
    if server.power_state is not None:
        return
    if server.status == ResourceStatus.ERROR:
        raise NotMade(
            f"Server {server.name} could not be made. Try its last operation again, or delete it and make another."
        )
    raise NotMade(f"Server {server.name} is still being made. Wait until it is active.")


async def _get_made_server(session: WriteSession, server_id: UUID) -> Server:
    server = await get_resource(session, Server, server_id, for_change=True)
    require_made(server)
    await _forget_old_acts(session, server)
    return server


async def _forget_old_acts(session: WriteSession, server: Server) -> None:
    """Drop a reboot or a look at the console whose operation has failed: the next wish must not bring it about."""
    statement = select(func.count()).where(
        Operation.resource_id == server.id,
        Operation.action.in_(("server.reboot", "server.console_output")),
        Operation.status.in_(_UNFINISHED),
    )
    if not await session.scalar(statement):
        server.reboots_done = server.reboots_requested
        server.reboots_before = None
        server.console_reads_done = server.console_reads_requested


async def _request(
    session: WriteSession, principal: Principal, server: Server, action: str
) -> tuple[ServerDetails, Operation]:
    operation = await request_operation(session, action=action, resource=server, requested_by=principal.email)
    return (await describe_servers(session, [server]))[0], operation
