"""The page of the tenant's audit log."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute
from platforma.tenants import audit as service
from platforma.tenants.endpoints import AuditReads
from platforma.tenants.schemas import AuditFilters, AuditQuery

audit = APIRouter(prefix="/audit", tags=["Audit log"], route_class=PageRoute)

KINDS = {
    "session": "Signing in and out",
    "password": "Passwords",
    "invitation": "Invitations",
    "member": "Members",
    "server": "Servers",
    "key_pair": "Key pairs",
    "volume": "Volumes",
    "snapshot": "Snapshots",
    "network": "Networks",
    "router": "Routers",
    "security_group": "Security groups",
    "namespace": "Namespaces",
    "kubeconfig": "Kubeconfigs",
    "operation": "Operations",
    "tenant": "The organisation itself",
}
"""What can be chosen, by how the actions begin."""


class AuditPageQuery(PageListQuery, AuditQuery):
    """The address of the audit log."""

    sort: str = Field(default="-at", pattern=r"^-?at$")


@audit.get("")
async def show_audit(request: Request, query: Annotated[AuditPageQuery, Query()], reading: AuditReads) -> Response:
    """Who did what, the newest first, with filters and the way to take it along."""
    rows, cursor = await service.list_events(reading.session, query)
    chosen = query.model_dump(mode="json", include=set(AuditFilters.model_fields), exclude_none=True)
    return render(
        request,
        "tenants/audit.html",
        reading,
        rows=rows,
        listing=Listing(request, query, cursor),
        kinds=KINDS,
        export=f"/api/v1/audit-events.csv?{urlencode(chosen)}".rstrip("?"),
    )
