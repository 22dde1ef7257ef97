"""Namespaces: what members may do with them. For what is open between them see `openings`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from platforma.api.lists import Page, Parts, list_outputs, list_page_with_parts, resource_filters
from platforma.authentication.principals import Principal
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.problems import Invalid
from platforma.kubernetes.clusters import choose_cluster
from platforma.kubernetes.errors import NamespaceExists, NamespaceNotMade
from platforma.kubernetes.models import Namespace, NamespaceReading, Opening
from platforma.kubernetes.schemas import NamespaceChange, NamespaceCreate, NamespaceOut, NamespaceQuery, OpeningOut
from platforma.operations.models import Operation, OperationStatus
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota

_SORTABLE = {"created_at": Namespace.created_at, "name": Namespace.name, "status": Namespace.status}
_OPENINGS = Parts("openings", Opening, OpeningOut, of="namespace_id")
_QUOTAS = {"vcpus": "namespace_vcpus", "ram_mib": "namespace_ram_mib", "pods": "namespace_pods"}
"""The quota of the tenant that each part of a namespace's quota counts towards."""

NamespaceWithOpenings = tuple[Namespace, list[Opening]]


async def list_namespaces(
    session: ReadSession, query: NamespaceQuery
) -> tuple[list[NamespaceWithOpenings], str | None]:
    """Return a page of namespaces, each with its openings."""
    return await list_page_with_parts(
        session,
        Namespace,
        query,
        part=Opening,
        part_of=Opening.namespace_id,
        sortable=_SORTABLE,
        where=_filters(query),
    )


async def list_namespace_outputs(session: ReadSession, query: NamespaceQuery) -> Page[NamespaceOut]:
    """Return a page of namespaces, each with its openings, as the API shows it."""
    return await list_outputs(
        session, Namespace, NamespaceOut, query, sortable=_SORTABLE, where=_filters(query), parts=_OPENINGS
    )


async def get_namespace(session: TenantSession, namespace_id: UUID) -> NamespaceWithOpenings:
    """Return a namespace with its openings; raises NotFound."""
    namespace = await get_resource(session, Namespace, namespace_id)
    return namespace, await openings_of(session, namespace_id)


async def openings_of(session: TenantSession, namespace_id: UUID) -> list[Opening]:
    """Return what is open to a namespace."""
    statement = select(Opening).where(Opening.namespace_id == namespace_id).order_by(Opening.created_at, Opening.id)
    return list(await session.scalars(statement))


async def create_namespace(
    session: WriteSession, principal: Principal, body: NamespaceCreate
) -> tuple[Namespace, Operation]:
    """Wish for a namespace. Raises NotFound for the cluster, ClusterNotReady, NoCluster or NamespaceExists."""
    cluster = await choose_cluster(session, body.cluster_id)
    await check_quota(session, "namespaces", func.count(), Namespace, 1)
    for column, quota in _QUOTAS.items():
        await check_quota(session, quota, func.sum(getattr(Namespace, column)), Namespace, getattr(body, column))
    await _check_name(session, body.name)
    namespace = Namespace(**body.model_dump(exclude={"cluster_id"}), cluster_id=cluster.id)
    session.add(namespace)
    return namespace, await request_operation(
        session, action="namespace.create", resource=namespace, requested_by=principal.email
    )


async def change_namespace(
    session: WriteSession, principal: Principal, namespace_id: UUID, body: NamespaceChange
) -> tuple[NamespaceWithOpenings, Operation]:
    """Change the quota or describe it anew. What runs already goes on, also when it is more than the new quota."""
    namespace = await get_resource(session, Namespace, namespace_id, for_change=True)
    changes = body.model_dump(exclude_unset=True)
    if not changes:
        raise Invalid("Name at least one field to change.")
    for column, quota in _QUOTAS.items():
        more = changes.get(column, 0) - getattr(namespace, column)
        if more > 0:
            await check_quota(session, quota, func.sum(getattr(Namespace, column)), Namespace, more)
    for field, value in changes.items():
        setattr(namespace, field, value)
    operation = await request_operation(
        session, action="namespace.change", resource=namespace, requested_by=principal.email
    )
    return (namespace, await openings_of(session, namespace_id)), operation


async def delete_namespace(
    session: WriteSession, principal: Principal, namespace_id: UUID
) -> tuple[NamespaceWithOpenings, Operation]:
    """Wish a namespace away with all that runs and is stored in it. What was open from it is closed."""
    namespace = await get_resource(session, Namespace, namespace_id, for_change=True)
    for target in await _close_openings_from(session, namespace_id):
        await request_operation(session, action="namespace.close", resource=target, requested_by=principal.email)
    operation = await delete_resource(session, namespace, "namespace.delete", principal.email)
    return (namespace, await openings_of(session, namespace_id)), operation


async def read_namespace(
    session: WriteSession, principal: Principal, namespace_id: UUID
) -> tuple[NamespaceWithOpenings, Operation]:
    """Wish that a worker reads what is in a namespace; it is then in `get_reading`. Raises NamespaceNotMade."""
    namespace = await get_resource(session, Namespace, namespace_id, for_change=True)
    if namespace.cloud_id is None:
        raise NamespaceNotMade(f"Namespace {namespace.name} has not been made yet.")
    if namespace.readings_requested == namespace.readings_done or not await _is_being_read(session, namespace):
        namespace.readings_requested = namespace.readings_done + 1
    operation = await request_operation(
        session, action="namespace.read", resource=namespace, requested_by=principal.email
    )
    return (namespace, await openings_of(session, namespace_id)), operation


async def get_reading(session: TenantSession, namespace_id: UUID) -> NamespaceReading | None:
    """Return what was last seen in a namespace, or None if it has not been read yet; raises NotFound."""
    await get_resource(session, Namespace, namespace_id)
    reading: NamespaceReading | None = await session.scalar(
        select(NamespaceReading).where(NamespaceReading.namespace_id == namespace_id)
    )
    return reading


async def other_namespaces(session: TenantSession, namespace: Namespace) -> Sequence[Namespace]:
    """Return the tenant's other namespaces in the same cluster, from which there can be openings."""
    statement = (
        select(Namespace)
        .where(
            Namespace.cluster_id == namespace.cluster_id,
            Namespace.id != namespace.id,
            Namespace.deletion_requested_at.is_(None),
        )
        .order_by(Namespace.name)
    )
    return (await session.scalars(statement)).all()


async def find_targets(session: TenantSession, namespace_id: UUID) -> Sequence[Namespace]:
    """Return the namespaces that are open to a namespace."""
    statement = (
        select(Namespace)
        .where(Namespace.id.in_(select(Opening.namespace_id).where(Opening.from_namespace_id == namespace_id)))
        .order_by(Namespace.name)
    )
    return (await session.scalars(statement)).all()


async def _close_openings_from(session: WriteSession, namespace_id: UUID) -> Sequence[Namespace]:
    """Forget what is open from a namespace; return the namespaces that have to be told."""
    targets = await find_targets(session, namespace_id)
    rows = await session.scalars(select(Opening).where(Opening.from_namespace_id == namespace_id))
    for opening in rows.all():
        await session.delete(opening)
    await session.flush()
    return [target for target in targets if target.deletion_requested_at is None]


async def _check_name(session: WriteSession, name: str) -> None:
    """Raise NamespaceExists for a name that the tenant uses. Requests wait for each other at the quota before."""
    present = await session.scalar(select(Namespace).where(Namespace.name == name))
    if present is not None:
        state = " It is being deleted; try again when it is gone." if present.deletion_requested_at else ""
        raise NamespaceExists(f"You have a namespace {name} already.{state}")


async def _is_being_read(session: WriteSession, namespace: Namespace) -> bool:
    """Say whether a reading that was asked for is still to come: one whose operation has failed is not."""
    statement = select(func.count()).where(
        Operation.resource_id == namespace.id,
        Operation.action == "namespace.read",
        Operation.status.in_((OperationStatus.QUEUED, OperationStatus.RUNNING)),
    )
    return bool(await session.scalar(statement))


def _filters(query: NamespaceQuery) -> list[ColumnElement[bool]]:
    where = resource_filters(query, Namespace)
    if query.cluster_id is not None:
        where.append(Namespace.cluster_id == query.cluster_id)
    return where
