"""Key pairs: what members may do with them."""

from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import ResourceQuery, list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.compute.models import KeyPair, Server
from platforma.compute.public_keys import make_key_pair, parse_public_key
from platforma.compute.schemas import KeyPairCreate
from platforma.database.tenant_session import ReadSession, WriteSession
from platforma.network.service import refuse_while_used
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota

_SORTABLE = {"created_at": KeyPair.created_at, "name": KeyPair.name, "status": KeyPair.status}


async def list_key_pairs(session: ReadSession, query: ResourceQuery) -> tuple[list[KeyPair], str | None]:
    """Return a page of key pairs."""
    return await list_page(session, KeyPair, query, sortable=_SORTABLE, where=resource_filters(query, KeyPair))


async def create_key_pair(
    session: WriteSession, principal: Principal, body: KeyPairCreate
) -> tuple[KeyPair, Operation, str | None]:
    """Import a public key, or make a pair; then its private half is the third of the result, and is kept nowhere."""
    await check_quota(session, "key_pairs", func.count(), KeyPair, 1)
    private_key = None
    if body.public_key is not None:
        public = parse_public_key(body.public_key)
    else:
        public, private_key = make_key_pair(comment=principal.email)
    key_pair = KeyPair(
        name=body.name, description=body.description, public_key=public.line, fingerprint=public.fingerprint
    )
    session.add(key_pair)
    operation = await request_operation(
        session, action="key_pair.create", resource=key_pair, requested_by=principal.email
    )
    return key_pair, operation, private_key


async def delete_key_pair(session: WriteSession, principal: Principal, key_pair_id: UUID) -> tuple[KeyPair, Operation]:
    """Wish a key pair away. Servers keep the key that they were made with, and name it no more.

    Raises InUse while servers that still have to be made ask for it.
    """
    key_pair = await get_resource(session, KeyPair, key_pair_id, for_change=True)
    servers = await session.scalars(
        select(Server).where(Server.key_pair_id == key_pair_id).order_by(Server.id).with_for_update()
    )
    users = servers.all()
    waiting = [server.name for server in users if server.power_state is None]
    refuse_while_used(f"key pair {key_pair.name}", "unfinished servers", waiting[:5])
    for server in users:
        server.key_pair_id = None
    return key_pair, await delete_resource(session, key_pair, "key_pair.delete", principal.email)
