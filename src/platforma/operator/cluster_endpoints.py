"""`/api/v1/clusters` of the operator's plane."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.operator import clusters as service
from platforma.operator.routes import OperatorRoute, Signed
from platforma.operator.schemas import ClusterChange, ClusterCreate, ClusterOut, ClusterQuery, KubeconfigChange

clusters = APIRouter(prefix="/clusters", tags=["Clusters"], route_class=OperatorRoute)


@clusters.get("")
async def list_clusters(query: Annotated[ClusterQuery, Query()], acting: Signed) -> Page[ClusterOut]:
    """All clusters."""
    rows, cursor = await service.list_clusters(acting, query)
    return Page(items=[ClusterOut.model_validate(row) for row in rows], next=cursor)


@clusters.post("", status_code=202)
async def add_cluster(body: ClusterCreate, acting: Signed) -> ClusterOut:
    """Connect a cluster. It is examined; follow its status."""
    return ClusterOut.model_validate(await service.add_cluster(acting, body))


@clusters.get("/{cluster_id}")
async def get_cluster(cluster_id: UUID, acting: Signed) -> ClusterOut:
    """One cluster."""
    return ClusterOut.model_validate(await service.get_cluster(acting, cluster_id))


@clusters.patch("/{cluster_id}", status_code=202)
async def change_cluster(cluster_id: UUID, body: ClusterChange, acting: Signed) -> ClusterOut:
    """Say something else about a cluster. It is examined again; namespaces follow when they are next looked at."""
    return ClusterOut.model_validate(await service.change_cluster(acting, cluster_id, body))


@clusters.post("/{cluster_id}/check", status_code=202)
async def check_cluster(cluster_id: UUID, acting: Signed) -> ClusterOut:
    """Examine a cluster now, and mend what Platforma has put there for all tenants."""
    return ClusterOut.model_validate(await service.check_cluster(acting, cluster_id))


@clusters.put("/{cluster_id}/kubeconfig", status_code=202)
async def replace_kubeconfig(cluster_id: UUID, body: KubeconfigChange, acting: Signed) -> ClusterOut:
    """Replace the administrator's credential; the cluster is examined with the new one."""
    return ClusterOut.model_validate(await service.replace_kubeconfig(acting, cluster_id, body.kubeconfig))


@clusters.delete("/{cluster_id}", status_code=204)
async def remove_cluster(cluster_id: UUID, acting: Signed) -> None:
    """Forget a cluster that no tenant uses."""
    await service.remove_cluster(acting, cluster_id)
