"""Pages of kubeconfigs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ConfigDict, Field

from platforma.api.fields import Name
from platforma.api.lists import ResourceQuery
from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.kubernetes import clusters
from platforma.kubernetes import kubeconfigs as service
from platforma.kubernetes.kubeconfig_endpoints import Reads, Writes
from platforma.kubernetes.models import Kubeconfig
from platforma.kubernetes.schemas import (
    LONGEST_LIFETIME,
    SHORTEST_LIFETIME,
    CollectionKey,
    KubeconfigCreate,
)
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on
from platforma.portal.wording import file_name

kubeconfigs = APIRouter(prefix="/kubeconfigs", tags=["Kubernetes"], route_class=PageRoute)

Plans = Annotated[Reading, may_read(Permission.KUBECONFIGS_WRITE)]

_LIFETIMES = {600: "10 minutes", 3600: "1 hour", 4 * 3600: "4 hours", LONGEST_LIFETIME: "8 hours"}


class KubeconfigsQuery(PageListQuery, ResourceQuery):
    """The address of a list of kubeconfigs."""

    sort: str = Field(default="-created_at", pattern=r"^-?[a-z_]{1,40}$")


class KubeconfigForm(FormInput):
    """What a kubeconfig is for, and for how long."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "laptop", "lifetime_seconds": 3600}]})

    name: Name
    cluster_id: UUID | None = None
    lifetime_seconds: int = Field(default=3600, ge=SHORTEST_LIFETIME, le=LONGEST_LIFETIME)


class CollectionForm(FormInput):
    """The key that opens a kubeconfig."""

    key: CollectionKey


@kubeconfigs.get("")
async def show_kubeconfigs(request: Request, query: Annotated[KubeconfigsQuery, Query()], reading: Reads) -> Response:
    """The list of issued kubeconfigs."""
    rows, cursor = await service.list_kubeconfigs(reading.session, query)
    return render(
        request,
        "kubernetes/kubeconfigs.html",
        reading,
        rows=rows,
        clusters=await clusters.clusters_of(reading.session, [row.cluster_id for row in rows]),
        running=await find_running_operations(reading.session, [row.id for row in rows]),
        listing=Listing(request, query, cursor),
    )


@kubeconfigs.get("/new")
async def show_new_kubeconfig(request: Request, reading: Plans) -> Response:
    """The form for a kubeconfig."""
    return render(
        request,
        "kubernetes/new_kubeconfig.html",
        reading,
        ready=await service.list_reachable_clusters(reading.session),
        lifetimes=[(str(seconds), words) for seconds, words in _LIFETIMES.items()],
    )


@kubeconfigs.post("", status_code=200)
@shown_on("/kubeconfigs/new")
async def create_kubeconfig(form: Annotated[KubeconfigForm, Form()], request: Request, writing: Writes) -> Response:
    """Ask for a kubeconfig, and show the page that collects it: the key is on it and nowhere else."""
    asked = await service.create_kubeconfig(writing.session, writing.principal, KubeconfigCreate(**form.model_dump()))
    return render(
        request,
        "kubernetes/kubeconfig.html",
        writing,
        kubeconfig=asked.kubeconfig,
        cluster=await clusters.get_cluster(writing.session, asked.kubeconfig.cluster_id),
        operation=asked.operation,
        key=asked.key,
    )


@kubeconfigs.get("/revoke")
async def show_revoke_kubeconfigs(request: Request, reading: Plans) -> Response:
    """Ask whether all kubeconfigs shall be revoked."""
    return render(request, "kubernetes/revoke_kubeconfigs.html", reading)


@kubeconfigs.post("/revoke")
@shown_on("/kubeconfigs/revoke")
async def revoke_kubeconfigs(writing: Writes) -> Response:
    """Revoke all of the tenant's kubeconfigs."""
    await service.revoke_kubeconfigs(writing.session, writing.principal)
    return see_other("/kubeconfigs", notice="kubeconfigs-revoked")


@kubeconfigs.get("/{kubeconfig_id}")
async def show_kubeconfig(kubeconfig_id: UUID, request: Request, reading: Reads) -> Response:
    """What is known of a kubeconfig; not the kubeconfig itself."""
    kubeconfig = await get_resource(reading.session, Kubeconfig, kubeconfig_id)
    return render(
        request,
        "kubernetes/kubeconfig.html",
        reading,
        kubeconfig=kubeconfig,
        cluster=await clusters.get_cluster(reading.session, kubeconfig.cluster_id),
        operation=await find_latest_operation(reading.session, kubeconfig_id),
        key=None,
    )


@kubeconfigs.post("/{kubeconfig_id}/collect", status_code=200)
@shown_on("/kubeconfigs/{kubeconfig_id}")
async def collect_kubeconfig(kubeconfig_id: UUID, form: Annotated[CollectionForm, Form()], writing: Writes) -> Response:
    """Download a kubeconfig, once."""
    text = await service.collect_kubeconfig(writing.session, writing.principal, kubeconfig_id, form.key)
    kubeconfig = await get_resource(writing.session, Kubeconfig, kubeconfig_id)
    name = f"{file_name(kubeconfig.name)}.kubeconfig.yaml"
    return Response(
        text, media_type="application/yaml", headers={"content-disposition": f'attachment; filename="{name}"'}
    )


@kubeconfigs.post("/{kubeconfig_id}/revoke")
@shown_on("/kubeconfigs/{kubeconfig_id}")
async def revoke_kubeconfig(kubeconfig_id: UUID, writing: Writes) -> Response:
    """Revoke a kubeconfig."""
    await service.revoke_kubeconfig(writing.session, writing.principal, kubeconfig_id)
    return see_other("/kubeconfigs", notice="kubeconfig-revoked")
