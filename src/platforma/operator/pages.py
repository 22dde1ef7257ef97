"""The console: signing in, the overview, portals, the audit log."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from platforma.authentication.cookies import OPERATOR_COOKIE, clear_cookie, read_cookie, set_cookie
from platforma.authentication.endpoints import browser_of
from platforma.authentication.passages import SIGN_IN, is_safe_path
from platforma.operator import portals as service
from platforma.operator import tenants
from platforma.operator.console import ConsoleRoute, OpenConsoleRoute
from platforma.operator.errors import UnknownDomain
from platforma.operator.forms import DomainForm, PortalForm, SignInForm, TenantForm, TitleForm
from platforma.operator.rendering import render
from platforma.operator.routes import Acting, Signed, SignsIn
from platforma.operator.schemas import (
    AuditQuery,
    DomainChange,
    DomainCreate,
    PortalChange,
    PortalCreate,
    PortalQuery,
    TenantQuery,
)
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.models import Portal
from platforma.portal.routes import shown_on
from platforma.tenants.models import TenantStatus

signing_in = APIRouter(tags=["Signing in"], route_class=OpenConsoleRoute)
overview = APIRouter(tags=["Overview"], route_class=ConsoleRoute)
portals = APIRouter(prefix="/portals", tags=["Portals"], route_class=ConsoleRoute)

Next = Annotated[str, Field(max_length=4000)]

PAGE = "/portals/{portal_id}"

_ALL = 200
"""Portals of which the overview knows the names."""


class TenantsQuery(PageListQuery, TenantQuery):
    """The address of the overview's list of tenants."""

    sort: str = Field(default="-created_at", pattern=r"^-?[a-z_]{1,40}$")


class AuditPageQuery(PageListQuery, AuditQuery):
    """The address of the audit log."""

    sort: str = Field(default="-at", pattern=r"^-?at$")


def see_other(location: str) -> Response:
    """Send the browser on with GET (RFC 9110, 303)."""
    return RedirectResponse(location, status_code=303)


@signing_in.get(SIGN_IN)
async def show_sign_in(request: Request, next: Annotated[Next, Query()] = "/") -> Response:  # noqa: A002
    """The sign-in page."""
    return render(request, "sign_in.html", next=next if is_safe_path(next) else "/")


@signing_in.post(SIGN_IN)
@shown_on(SIGN_IN)
async def sign_in(form: Annotated[SignInForm, Form()], request: Request, authenticator: SignsIn) -> Response:
    """Sign in, and go on."""
    _operator, token = await authenticator.sign_in(
        email=form.email,
        password=form.password,
        browser=browser_of(request),
        previous_token=read_cookie(request.scope["headers"], OPERATOR_COOKIE),
    )
    response = see_other(form.next if is_safe_path(form.next) else "/")
    response.headers.append("set-cookie", set_cookie(OPERATOR_COOKIE, token))
    return response


@signing_in.post("/sign-out")
async def sign_out(request: Request, authenticator: SignsIn) -> Response:
    """Sign out."""
    await authenticator.sign_out(read_cookie(request.scope["headers"], OPERATOR_COOKIE))
    response = see_other(SIGN_IN)
    response.headers.append("set-cookie", clear_cookie(OPERATOR_COOKIE))
    return response


@overview.get("/")
async def show_overview(request: Request, query: Annotated[TenantsQuery, Query()], acting: Signed) -> Response:
    """Portals, tenants with their status, and what is under way or in trouble."""
    rows, cursor = await tenants.list_tenants(acting, query)
    return render(
        request,
        "overview.html",
        acting,
        portals=await _portals(acting),
        domains=await service.list_domains_to_mend(acting),
        tenants=rows,
        under_way=await tenants.list_under_way(acting),
        listing=Listing(request, query, cursor),
    )


@overview.get("/audit")
async def show_audit(request: Request, query: Annotated[AuditPageQuery, Query()], acting: Signed) -> Response:
    """What operators did, and why."""
    rows, cursor = await tenants.list_audit(acting, query)
    names = await tenants.find_names(acting, (row.tenant_id for row in rows if row.tenant_id is not None))
    return render(request, "audit.html", acting, rows=rows, names=names, listing=Listing(request, query, cursor))


@portals.post("")
@shown_on("/")
async def create_portal(form: Annotated[PortalForm, Form()], acting: Signed) -> Response:
    """Make a portal."""
    portal = await service.create_portal(acting, PortalCreate(name=form.name, title=form.title, host=form.host))
    return see_other(f"/portals/{portal.id}")


@portals.get("/{portal_id}")
async def show_portal(portal_id: UUID, request: Request, acting: Signed) -> Response:
    """A portal with its domains and tenants, and the forms to add to them."""
    portal = await service.get_portal(acting, portal_id)
    rows, _cursor = await tenants.list_tenants(acting, TenantQuery(portal_id=portal_id, sort="name", limit=_ALL))
    return render(
        request,
        "portal.html",
        acting,
        portal=portal,
        domains=await service.list_domains(acting, portal_id),
        tenants=rows,
    )


@portals.post("/{portal_id}/title")
@shown_on(PAGE)
async def change_title(portal_id: UUID, form: Annotated[TitleForm, Form()], acting: Signed) -> Response:
    """Change what the portal's visitors read."""
    await service.change_portal(acting, portal_id, PortalChange(title=form.title))
    return see_other(f"/portals/{portal_id}")


@portals.get("/{portal_id}/suspend")
async def show_suspend_portal(portal_id: UUID, request: Request, acting: Signed) -> Response:
    """Ask whether the portal shall be shut."""
    portal = await service.get_portal(acting, portal_id)
    active = TenantQuery(portal_id=portal_id, status=TenantStatus.ACTIVE, limit=_ALL)
    rows, _cursor = await tenants.list_tenants(acting, active)
    return render(request, "confirm.html", acting, portal=portal, host=None, tenants=rows)


@portals.post("/{portal_id}/suspend")
@shown_on(PAGE)
async def suspend_portal(portal_id: UUID, acting: Signed) -> Response:
    """Shut the portal for all its tenants."""
    await service.change_portal(acting, portal_id, PortalChange(status="suspended"))
    return see_other(f"/portals/{portal_id}")


@portals.post("/{portal_id}/resume")
@shown_on(PAGE)
async def resume_portal(portal_id: UUID, acting: Signed) -> Response:
    """Open the portal again."""
    await service.change_portal(acting, portal_id, PortalChange(status="active"))
    return see_other(f"/portals/{portal_id}")


@portals.post("/{portal_id}/domains")
@shown_on(PAGE)
async def add_domain(portal_id: UUID, form: Annotated[DomainForm, Form()], acting: Signed) -> Response:
    """Let one more host lead to the portal."""
    await service.add_domain(acting, portal_id, DomainCreate(host=form.host, is_canonical=form.is_canonical))
    return see_other(f"/portals/{portal_id}")


@portals.post("/{portal_id}/domains/{host}/canonical")
@shown_on(PAGE)
async def make_domain_canonical(portal_id: UUID, host: str, acting: Signed) -> Response:
    """Make links with this host."""
    await service.change_domain(acting, portal_id, host, DomainChange(is_canonical=True))
    return see_other(f"/portals/{portal_id}")


@portals.post("/{portal_id}/domains/{host}/check")
@shown_on(PAGE)
async def check_domain(portal_id: UUID, host: str, acting: Signed) -> Response:
    """Have the domain's record looked for now."""
    await service.check_domain(acting, portal_id, host)
    return see_other(f"/portals/{portal_id}")


@portals.get("/{portal_id}/domains/{host}/remove")
async def show_remove_domain(portal_id: UUID, host: str, request: Request, acting: Signed) -> Response:
    """Ask whether a host shall lead nowhere."""
    if host not in [domain.host for domain in await service.list_domains(acting, portal_id)]:
        raise UnknownDomain
    portal = await service.get_portal(acting, portal_id)
    return render(request, "confirm.html", acting, portal=portal, host=host, tenants=[])


@portals.post("/{portal_id}/domains/{host}/remove")
@shown_on(PAGE)
async def remove_domain(portal_id: UUID, host: str, acting: Signed) -> Response:
    """Let a host lead nowhere."""
    await service.remove_domain(acting, portal_id, host)
    return see_other(f"/portals/{portal_id}")


@portals.post("/{portal_id}/tenants")
@shown_on(PAGE)
async def create_tenant(portal_id: UUID, form: Annotated[TenantForm, Form()], acting: Signed) -> Response:
    """Make a tenant of the portal, and onboard it."""
    standing = await tenants.create_tenant(acting, portal_id, form.name, {}, form.reason)
    return see_other(f"/tenants/{standing.tenant.id}")


async def _portals(acting: Acting) -> dict[UUID, Portal]:
    rows, _cursor = await service.list_portals(acting, PortalQuery(sort="name", limit=_ALL))
    return {row.id: row for row in rows}
