"""What is open between a tenant's own namespaces. Each is carried out with the namespace that it leads into."""

from uuid import UUID

from sqlalchemy import func, select

from platforma.authentication.principals import Principal
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.problems import NotFound
from platforma.kubernetes.errors import OpeningExists, OtherCluster, SameNamespace
from platforma.kubernetes.models import Namespace, Opening
from platforma.kubernetes.schemas import OpeningCreate
from platforma.operations.models import Operation
from platforma.operations.resources import get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota


async def get_opening(session: TenantSession, namespace_id: UUID, opening_id: UUID) -> Opening:
    """Return what is open to a namespace; raises NotFound, also for an opening of another namespace."""
    await get_resource(session, Namespace, namespace_id)
    opening = await session.get(Opening, opening_id)
    if opening is None or opening.namespace_id != namespace_id:
        raise NotFound
    return opening


async def create_opening(
    session: WriteSession, principal: Principal, namespace_id: UUID, body: OpeningCreate
) -> tuple[Opening, Operation]:
    """Wish that a namespace admits traffic from another one of the tenant.

    Raises NotFound for either, SameNamespace, OtherCluster or OpeningExists.
    """
    both = {
        id_: await get_resource(session, Namespace, id_, for_change=True)
        for id_ in sorted({namespace_id, body.from_namespace_id})  # in one order for all, so that none waits in a ring
    }
    namespace, source = both[namespace_id], both[body.from_namespace_id]
    if namespace is source:
        raise SameNamespace("Choose another namespace that the traffic comes from.")
    if namespace.cluster_id != source.cluster_id:
        raise OtherCluster(f"{source.name} and {namespace.name} are not in the same cluster.")
    await check_quota(session, "openings", func.count(), Opening, 1)
    values = body.model_dump() | {"end_port": body.end_port or body.port}
    await _check_is_new(session, namespace, values)
    opening = Opening(namespace_id=namespace.id, **values)
    session.add(opening)
    await session.flush()
    return opening, await request_operation(
        session, action="namespace.open", resource=namespace, requested_by=principal.email
    )


async def delete_opening(
    session: WriteSession, principal: Principal, namespace_id: UUID, opening_id: UUID
) -> tuple[Opening, Operation]:
    """Wish an opening away. Connections that stand may outlive it, as the cluster's network plugin has it."""
    namespace = await get_resource(session, Namespace, namespace_id, for_change=True)
    opening = await session.get(Opening, opening_id, with_for_update=True)
    if opening is None or opening.namespace_id != namespace.id:
        raise NotFound
    await session.delete(opening)
    return opening, await request_operation(
        session, action="namespace.close", resource=namespace, requested_by=principal.email
    )


async def _check_is_new(session: WriteSession, namespace: Namespace, values: dict[str, object]) -> None:
    present = await session.scalars(select(Opening).where(Opening.namespace_id == namespace.id))
    traffic = ("from_namespace_id", "pod_labels", "protocol", "port", "end_port")
    for opening in present.all():
        if all(getattr(opening, name) == values[name] for name in traffic):
            raise OpeningExists(f"Namespace {namespace.name} admits this already.")
