"""The console's pages of clusters."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field

from platforma.operator import clusters as service
from platforma.operator.console import ConsoleRoute
from platforma.operator.forms import ClusterForm, KubeconfigForm
from platforma.operator.pages import see_other
from platforma.operator.rendering import render
from platforma.operator.routes import Signed
from platforma.operator.schemas import ClusterCreate, ClusterQuery
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.routes import shown_on

clusters = APIRouter(prefix="/clusters", tags=["Clusters"], route_class=ConsoleRoute)

PAGE = "/clusters/{cluster_id}"


class ClustersQuery(PageListQuery, ClusterQuery):
    """The address of the list of clusters."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


@clusters.get("")
async def show_clusters(request: Request, query: Annotated[ClustersQuery, Query()], acting: Signed) -> Response:
    """The clusters, and the form to connect one."""
    rows, cursor = await service.list_clusters(acting, query)
    return render(request, "clusters.html", acting, rows=rows, listing=Listing(request, query, cursor))


@clusters.post("")
@shown_on("/clusters")
async def add_cluster(form: Annotated[ClusterForm, Form()], acting: Signed) -> Response:
    """Connect a cluster."""
    cluster = await service.add_cluster(acting, ClusterCreate(name=form.name, kubeconfig=form.kubeconfig))
    return see_other(f"/clusters/{cluster.id}")


@clusters.get("/{cluster_id}")
async def show_cluster(cluster_id: UUID, request: Request, acting: Signed) -> Response:
    """A cluster, what its last examination found, and what can be done about it."""
    return render(request, "cluster.html", acting, cluster=await service.get_cluster(acting, cluster_id))


@clusters.post("/{cluster_id}/check")
@shown_on(PAGE)
async def check_cluster(cluster_id: UUID, acting: Signed) -> Response:
    """Examine a cluster now."""
    await service.check_cluster(acting, cluster_id)
    return see_other(f"/clusters/{cluster_id}")


@clusters.post("/{cluster_id}/kubeconfig")
@shown_on(PAGE)
async def replace_kubeconfig(cluster_id: UUID, form: Annotated[KubeconfigForm, Form()], acting: Signed) -> Response:
    """Replace the administrator's credential."""
    await service.replace_kubeconfig(acting, cluster_id, form.kubeconfig)
    return see_other(f"/clusters/{cluster_id}")


@clusters.post("/{cluster_id}/remove")
@shown_on(PAGE)
async def remove_cluster(cluster_id: UUID, acting: Signed) -> Response:
    """Forget a cluster."""
    await service.remove_cluster(acting, cluster_id)
    return see_other("/clusters")
