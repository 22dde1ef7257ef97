"""`/api/v1/kubeconfigs`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, ResourceQuery
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.kubernetes import kubeconfigs as service
from platforma.kubernetes.models import Kubeconfig
from platforma.kubernetes.schemas import (
    KubeconfigAccepted,
    KubeconfigCollect,
    KubeconfigCreate,
    KubeconfigFile,
    KubeconfigOut,
    RevokedKubeconfigsOut,
)
from platforma.operations.resources import get_resource
from platforma.operations.schemas import Accepted, OperationOut

kubeconfigs = APIRouter(prefix="/kubeconfigs", tags=["Kubernetes"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.KUBECONFIGS_READ)]
Writes = Annotated[Writing, may_write(Permission.KUBECONFIGS_WRITE)]


@kubeconfigs.get("")
async def list_kubeconfigs(query: Annotated[ResourceQuery, Query()], reading: Reads) -> Page[KubeconfigOut]:
    """Issued kubeconfigs: to whom, and until when."""
    rows, cursor = await service.list_kubeconfigs(reading.session, query)
    return Page(items=[KubeconfigOut.model_validate(row) for row in rows], next=cursor)


@kubeconfigs.post("", status_code=202)
async def create_kubeconfig(body: KubeconfigCreate, writing: Writes) -> KubeconfigAccepted:
    """Ask for a kubeconfig. Keep the `key`: collect the kubeconfig with it when it is `active`."""
    asked = await service.create_kubeconfig(writing.session, writing.principal, body)
    return KubeconfigAccepted(
        operation=OperationOut.model_validate(asked.operation),
        resource=KubeconfigOut.model_validate(asked.kubeconfig),
        key=asked.key,
    )


@kubeconfigs.delete("", status_code=202)
async def revoke_kubeconfigs(writing: Writes) -> RevokedKubeconfigsOut:
    """Revoke all of the tenant's, whoever has them."""
    return RevokedKubeconfigsOut(revoked=await service.revoke_kubeconfigs(writing.session, writing.principal))


@kubeconfigs.get("/{kubeconfig_id}")
async def get_kubeconfig(kubeconfig_id: UUID, reading: Reads) -> KubeconfigOut:
    """What is known of one; not the kubeconfig itself."""
    return KubeconfigOut.model_validate(await get_resource(reading.session, Kubeconfig, kubeconfig_id))


@kubeconfigs.post("/{kubeconfig_id}/collect")
async def collect_kubeconfig(kubeconfig_id: UUID, body: KubeconfigCollect, writing: Writes) -> KubeconfigFile:
    """Collect a kubeconfig, once."""
    text = await service.collect_kubeconfig(writing.session, writing.principal, kubeconfig_id, body.key)
    return KubeconfigFile(kubeconfig=text)


@kubeconfigs.delete("/{kubeconfig_id}", status_code=202)
async def revoke_kubeconfig(kubeconfig_id: UUID, writing: Writes) -> Accepted[KubeconfigOut]:
    """Revoke one: its token is worth nothing any more, and it goes from the list."""
    row, operation = await service.revoke_kubeconfig(writing.session, writing.principal, kubeconfig_id)
    return Accepted(operation=OperationOut.model_validate(operation), resource=KubeconfigOut.model_validate(row))
