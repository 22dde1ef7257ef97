"""The operator's application: an API and a console at one host, with the operator's database role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from platforma import __version__
from platforma.api.application import Application
from platforma.api.edge import Refusal, answer_refusal
from platforma.authentication.cookies import OPERATOR_COOKIE
from platforma.authentication.passwords import PasswordStretcher
from platforma.database.database import Database
from platforma.kit.hosts import parse_host
from platforma.kit.problems import NotFound
from platforma.operator import endpoints, pages
from platforma.operator.billing_endpoints import billing
from platforma.operator.billing_pages import billing as billing_pages
from platforma.operator.brand_endpoints import brands
from platforma.operator.brand_pages import brands as brand_pages
from platforma.operator.cluster_endpoints import clusters
from platforma.operator.cluster_pages import clusters as cluster_pages
from platforma.operator.console import mount_console
from platforma.operator.portal_endpoints import portals
from platforma.operator.price_endpoints import price_books
from platforma.operator.price_pages import prices as price_pages
from platforma.operator.service import OperatorAuthenticator
from platforma.operator.sweep_endpoints import sweeps
from platforma.operator.sweep_pages import findings as finding_pages
from platforma.operator.tenant_endpoints import tenants
from platforma.operator.tenant_pages import tenants as tenant_pages
from platforma.operator.volume_type_endpoints import volume_types
from platforma.operator.volume_type_pages import volume_types as volume_type_pages
from platforma.settings import Settings, SettingsError, need

API_PREFIX = "/api/v1"

API_ROUTERS: tuple[APIRouter, ...] = (
    endpoints.open_router,
    endpoints.router,
    portals,
    brands,
    sweeps,
    price_books,
    billing,
    tenants,
    clusters,
    volume_types,
)

PAGE_ROUTERS: tuple[APIRouter, ...] = (
    pages.signing_in,
    pages.overview,
    pages.portals,
    brand_pages,
    billing_pages,
    price_pages,
    tenant_pages,
    cluster_pages,
    finding_pages,
    volume_type_pages,
)

DESCRIPTION = """What operators do: portals, their domains, tenants. Sign in with `POST /api/v1/session` and send the
cookie that it sets. What is inside a tenant is opened with a reason, which the operators' audit log and the
tenant's own keep."""


class OnlyAtHost:
    """ASGI middleware: at any other host than its own there is nothing, whatever is asked for."""

    def __init__(self, app: ASGIApp, *, host: str) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on if it is for this host, as the edge read it."""
        if scope["type"] == "http" and scope["state"]["host"] != self._host:
            await answer_refusal(scope, send, Refusal(NotFound.status, NotFound.type, NotFound.title))
        else:
            await self._app(scope, receive, send)


def create_operator_app(settings: Settings) -> Application:
    """Make the application of an operator's process; raises SettingsError for settings that it cannot do without."""
    host = parse_host(settings.operator_host)
    if host is None or ":" in settings.operator_host:
        raise SettingsError("PLATFORMA_OPERATOR_HOST must be a host name, without a port.")
    database = Database(need(settings.database.operator, "DATABASE__OPERATOR"), pool_size=settings.database.pool_size)
    stretcher = PasswordStretcher(need(settings.pepper, "PEPPER"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await database.close()

    app = Application(
        settings,
        cookie=OPERATOR_COOKIE,
        takes_files=True,
        lifespan=lifespan,
        title="Operator's API",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{API_PREFIX}/openapi.json",
    )
    app.add_middleware(OnlyAtHost, host=host)
    app.state.settings = settings
    app.state.database = database
    app.state.authenticator = OperatorAuthenticator(database, stretcher, settings.session, settings.sign_in_limit)
    for router in API_ROUTERS:
        app.include_router(router, prefix=API_PREFIX)
    mount_console(app, PAGE_ROUTERS)
    return app
