"""The dashboard: how much there is, what needs attention, what is under way."""

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select

from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.authentication.principals import Principal
from platforma.compute.models import Flavor, Server
from platforma.database.tenant_session import ReadSession
from platforma.kubernetes.clusters import has_clusters
from platforma.kubernetes.models import Namespace
from platforma.operations.models import Operation, OperationStatus, Plane
from platforma.portal.kinds import Kind, kinds_for
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute
from platforma.storage.models import Volume
from platforma.tenants.quotas import list_quotas

router = APIRouter(tags=["Dashboard"], route_class=PageRoute)

_SHOWN = 5
_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)


@dataclass(frozen=True)
class Tile:
    """How many there are of a kind."""

    title: str
    path: str
    icon: str
    used: int
    detail: str


@dataclass(frozen=True)
class QuotaBar:
    """How much of a quota is used."""

    title: str
    used: int
    maximum: int
    path: str | None
    unit: str = ""


@dataclass(frozen=True)
class Troubled:
    """A resource in error."""

    id: UUID
    name: str
    kind: str
    path: str
    reason: str | None


@dataclass
class Overview:
    """Everything that the dashboard shows, as far as the member may see it."""

    tiles: list[Tile] = field(default_factory=list)
    quotas: list[QuotaBar] = field(default_factory=list)
    troubled: list[Troubled] = field(default_factory=list)
    failed: list[Operation] = field(default_factory=list)
    running: list[Operation] = field(default_factory=list)

    @property
    def is_moving(self) -> bool:
        """Say whether the page should keep looking."""
        return bool(self.running)


@router.get("/")
async def show_dashboard(request: Request, reading: Annotated[Reading, may_read(Permission.TENANT_READ)]) -> Response:
    """The dashboard."""
    overview = await look_around(reading.session, reading.principal)
    return render(request, "portal/dashboard.html", reading, overview=overview)


async def look_around(session: ReadSession, principal: Principal) -> Overview:
    """Return the overview of what a member may see."""
    overview = Overview()
    quotas = await list_quotas(session)
    has_kubernetes = await has_clusters(session)
    for kind in kinds_for(principal, has_kubernetes=has_kubernetes):
        await _add_kind(session, overview, kind, quotas)
    if principal.may(Permission.SERVERS_READ):
        await _add_compute(session, overview, quotas)
    if principal.may(Permission.VOLUMES_READ):
        size = int(await session.scalar(select(func.coalesce(func.sum(Volume.size_gib), 0))) or 0)
        overview.quotas.append(QuotaBar("Volume space", size, quotas["volume_gib"], "/volumes", " GiB"))
    if has_kubernetes and principal.may(Permission.NAMESPACES_READ):
        await _add_namespaces(session, overview, quotas)
    if principal.may(Permission.OPERATIONS_READ):
        overview.running = await _operations(session, *_UNFINISHED)
        overview.failed = await _unresolved(session)
        told = {operation.resource_id for operation in overview.failed}
        overview.troubled = [resource for resource in overview.troubled if resource.id not in told]
    return overview


async def _add_kind(session: ReadSession, overview: Overview, kind: Kind, quotas: dict[str, int]) -> None:
    statement = select(kind.model.status, func.count()).group_by(kind.model.status)
    by_status = {status: int(number) for status, number in (await session.execute(statement)).all()}
    used = sum(by_status.values())
    if kind.has_tile:
        active = by_status.get("active", 0)
        detail = f"{active} active" if used else "none yet"
        overview.tiles.append(Tile(kind.title, kind.path, kind.icon, used, detail))
    overview.quotas.append(QuotaBar(kind.title, used, quotas[kind.quota], kind.path))
    if by_status.get("error"):
        rows = (
            select(kind.model).where(kind.model.status == "error").order_by(kind.model.updated_at.desc()).limit(_SHOWN)
        )
        for row in await session.scalars(rows):
            overview.troubled.append(Troubled(row.id, row.name, kind.word, f"{kind.path}/{row.id}", row.status_reason))


async def _add_compute(session: ReadSession, overview: Overview, quotas: dict[str, int]) -> None:
    statement = select(func.coalesce(func.sum(Flavor.vcpus), 0), func.coalesce(func.sum(Flavor.ram_mib), 0)).join(
        Server, Server.flavor_id == Flavor.id
    )
    vcpus, ram_mib = (await session.execute(statement)).one()
    overview.quotas.append(QuotaBar("vCPUs", int(vcpus), quotas["vcpus"], "/servers"))
    overview.quotas.append(QuotaBar("Memory", int(ram_mib) // 1024, quotas["ram_mib"] // 1024, "/servers", " GiB"))


async def _add_namespaces(session: ReadSession, overview: Overview, quotas: dict[str, int]) -> None:
    sums = (func.coalesce(func.sum(column), 0) for column in (Namespace.vcpus, Namespace.ram_mib, Namespace.pods))
    vcpus, ram_mib, pods = (int(value) for value in (await session.execute(select(*sums))).one())
    memory = QuotaBar("Namespaces' memory", ram_mib // 1024, quotas["namespace_ram_mib"] // 1024, "/namespaces", " GiB")
    overview.quotas.append(QuotaBar("Namespaces' vCPUs", vcpus, quotas["namespace_vcpus"], "/namespaces"))
    overview.quotas.append(memory)
    overview.quotas.append(QuotaBar("Namespaces' pods", pods, quotas["namespace_pods"], "/namespaces"))


async def _operations(session: ReadSession, *statuses: OperationStatus) -> list[Operation]:
    statement = (
        select(Operation)
        .where(Operation.plane == Plane.TENANT, Operation.status.in_(statuses))
        .order_by(Operation.created_at.desc())
        .limit(_SHOWN)
    )
    return list((await session.scalars(statement)).all())


async def _unresolved(session: ReadSession) -> list[Operation]:
    """Return failed operations whose resource nothing was tried with since."""
    later = select(func.max(Operation.created_at)).where(Operation.plane == Plane.TENANT)
    failed = await _operations(session, OperationStatus.FAILED)
    found = []
    for operation in failed:
        newest = await session.scalar(later.where(Operation.resource_id == operation.resource_id))
        if newest == operation.created_at:
            found.append(operation)
    return found
