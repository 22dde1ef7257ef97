"""The two applications that are compared: the product as it is, and the same list without layers 1 and 2.

The plain one looks the token up in one statement and writes the tenant's filter by hand, as a careful developer
would without Platforma. It shares everything that is no isolation: FastAPI, the other routes, schemas, models,
serialisation, driver and pool. It has no edge either, so that this is counted as a cost of ours.
"""

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from sqlalchemy import and_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from platforma.api.lists import Page, ResourceQuery
from platforma.app import API_PREFIX, API_ROUTERS, create_app
from platforma.authentication.cookies import SESSION_COOKIE
from platforma.database.engine import create_engine
from platforma.network.endpoints import networks
from platforma.network.models import Network, Subnet
from platforma.network.schemas import NetworkOut, SubnetOut
from platforma.settings import load_settings

_TOKEN = text(
    "SELECT s.tenant_id FROM gate.session_tokens k "
    "JOIN sessions s ON s.tenant_id = k.tenant_id AND s.id = k.session_id "
    "WHERE k.token_hash = :token_hash AND s.revoked_at IS NULL AND s.expires_at > now()"
)
_NETWORK, _SUBNET = Network.__table__.c, Subnet.__table__.c
_FIELDS = ["id", *(name for name in NetworkOut.model_fields if name in _NETWORK and name != "id")]
_SUBNET_FIELDS = ["id", *(name for name in SubnetOut.model_fields if name != "id")]
_PAGE = (
    select(*(_NETWORK[name] for name in _FIELDS))
    .where(_NETWORK.tenant_id == bindparam("tenant_id"))
    .order_by(_NETWORK.created_at, _NETWORK.id)
    .limit(bindparam("rows"))
    .subquery()
)
_OF_THE_PAGE = and_(_SUBNET.network_id == _PAGE.c.id, _SUBNET.tenant_id == bindparam("tenant_id"))
_LIST = (
    select(*_PAGE.c, *(_SUBNET[name].label(f"subnet_{name}") for name in _SUBNET_FIELDS))
    .select_from(_PAGE.outerjoin(Subnet.__table__, _OF_THE_PAGE))
    .order_by(_PAGE.c.created_at, _PAGE.c.id, _SUBNET.created_at, _SUBNET.id)
)


def create_product() -> FastAPI:
    """Return the portal's application, unchanged."""
    return create_app(load_settings())


@dataclass(frozen=True)
class Caller:
    """Whose rows, and a session that would show anybody's."""

    tenant_id: UUID
    session: AsyncSession


def create_plain() -> FastAPI:
    """Return the list of networks without layers 1 and 2."""
    engine = create_engine(os.environ["PLATFORMA_DATABASE__PORTAL"])
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    networks_only = APIRouter(prefix="/networks")

    async def open_caller(request: Request) -> AsyncIterator[Caller]:
        token = request.cookies.get(SESSION_COOKIE, "")
        async with sessions.begin() as session:
            token_hash = hashlib.sha256(token.encode()).digest()
            tenant_id = (await session.execute(_TOKEN, {"token_hash": token_hash})).scalar_one_or_none()
            if tenant_id is None:
                raise HTTPException(401)
            yield Caller(tenant_id, session)

    @networks_only.get("")
    async def list_networks(
        query: Annotated[ResourceQuery, Query()], caller: Annotated[Caller, Depends(open_caller, scope="function")]
    ) -> Page[NetworkOut]:
        items: dict[UUID, dict[str, Any]] = {}
        values = {"tenant_id": caller.tenant_id, "rows": query.limit + 1}
        for row in (await caller.session.execute(_LIST, values)).all():
            item = items.get(row[0])
            if item is None:
                item = items[row[0]] = dict(zip(_FIELDS, row, strict=False)) | {"subnets": []}
            if row[len(_FIELDS)] is not None:
                item["subnets"].append(dict(zip(_SUBNET_FIELDS, row[len(_FIELDS) :], strict=True)))
        return Page[NetworkOut].model_validate({"items": list(items.values()), "next": None})

    app = FastAPI()
    for router in API_ROUTERS:
        app.include_router(networks_only if router is networks else router, prefix=API_PREFIX)
    return app
