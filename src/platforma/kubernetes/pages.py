"""Pages of namespaces and of what is open between them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BeforeValidator, ConfigDict, Field

from platforma.api.fields import Description
from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.kit.problems import Invalid
from platforma.kubernetes import clusters, openings, service
from platforma.kubernetes.endpoints import Reads, Writes
from platforma.kubernetes.models import Namespace
from platforma.kubernetes.schemas import (
    LARGEST_RAM_MIB,
    LARGEST_VCPUS,
    MOST_PODS,
    NamespaceChange,
    NamespaceCreate,
    NamespaceName,
    NamespaceQuery,
    OpeningCreate,
    PodLabels,
    Protocol,
)
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, show_deletion
from platforma.portal.routes import PageRoute, shown_on
from platforma.tenants.quotas import list_quotas

namespaces = APIRouter(prefix="/namespaces", tags=["Kubernetes"], route_class=PageRoute)

Plans = Annotated[Reading, may_read(Permission.NAMESPACES_WRITE)]

_MIB = 1024
_EXAMPLE_ID = "0190a5f0-0000-7000-8000-000000000000"


def _split_labels(text: object) -> object:
    """Read labels as kubectl writes them: `app=web,tier=front`."""
    if not isinstance(text, str):
        return text
    labels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError("Write labels as app=web, with commas between them.")
        labels[key.strip()] = value.strip()
    return labels


Vcpus = Annotated[int, Field(ge=1, le=LARGEST_VCPUS)]
RamGib = Annotated[int, Field(ge=1, le=LARGEST_RAM_MIB // _MIB)]
Pods = Annotated[int, Field(ge=1, le=MOST_PODS)]


class NamespacesQuery(PageListQuery, NamespaceQuery):
    """The address of a list of namespaces."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class NamespaceForm(FormInput):
    """A namespace with its quota."""

    name: NamespaceName
    description: Description = ""
    cluster_id: UUID | None = None
    vcpus: Vcpus = 2
    ram_gib: RamGib = 4
    pods: Pods = 20


class NamespaceEditForm(FormInput):
    """A quota and a description."""

    description: Description = ""
    vcpus: Vcpus
    ram_gib: RamGib
    pods: Pods


class OpeningForm(FormInput):
    """Traffic from another namespace."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from_namespace_id": _EXAMPLE_ID, "protocol": "TCP", "port": 443}]}
    )

    from_namespace_id: UUID
    pod_labels: Annotated[PodLabels, BeforeValidator(_split_labels, json_schema_input_type=str)] = Field(
        default_factory=dict
    )
    protocol: Protocol = "TCP"
    port: int = Field(ge=1, le=65535)
    end_port: int | None = Field(default=None, ge=1, le=65535)
    description: Description = ""


class DeletionForm(FormInput):
    """The name of the namespace, typed to be sure."""

    name: Annotated[str, Field(max_length=255, examples=["web"])]


@namespaces.get("")
async def show_namespaces(request: Request, query: Annotated[NamespacesQuery, Query()], reading: Reads) -> Response:
    """The list of namespaces."""
    rows, cursor = await service.list_namespaces(reading.session, query)
    found = [namespace for namespace, _openings in rows]
    return render(
        request,
        "kubernetes/namespaces.html",
        reading,
        rows=rows,
        clusters=await clusters.clusters_of(reading.session, [row.cluster_id for row in found]),
        ready=await clusters.list_ready_clusters(reading.session),
        running=await find_running_operations(reading.session, [row.id for row in found]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@namespaces.get("/new")
async def show_new_namespace(request: Request, reading: Plans) -> Response:
    """The form for a namespace."""
    return render(
        request,
        "kubernetes/new_namespace.html",
        reading,
        ready=await clusters.list_ready_clusters(reading.session),
        most=await _most(reading),
    )


@namespaces.post("")
@shown_on("/namespaces/new")
async def create_namespace(form: Annotated[NamespaceForm, Form()], writing: Writes) -> Response:
    """Make a namespace."""
    wanted = NamespaceCreate(
        name=form.name,
        description=form.description,
        cluster_id=form.cluster_id,
        vcpus=form.vcpus,
        ram_mib=form.ram_gib * _MIB,
        pods=form.pods,
    )
    namespace, _operation = await service.create_namespace(writing.session, writing.principal, wanted)
    return see_other(f"/namespaces/{namespace.id}")


@namespaces.get("/{namespace_id}")
async def show_namespace(namespace_id: UUID, request: Request, reading: Reads) -> Response:
    """A namespace: its quota, what runs in it, and what is open to it."""
    namespace, found = await service.get_namespace(reading.session, namespace_id)
    others = await service.other_namespaces(reading.session, namespace)
    return render(
        request,
        "kubernetes/namespace.html",
        reading,
        namespace=namespace,
        cluster=await clusters.get_cluster(reading.session, namespace.cluster_id),
        openings=found,
        others={other.id: other for other in others},
        targets=await service.find_targets(reading.session, namespace_id),
        reading=await service.get_reading(reading.session, namespace_id),
        operation=await find_latest_operation(reading.session, namespace_id),
    )


@namespaces.get("/{namespace_id}/edit")
async def show_edit_namespace(namespace_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a namespace's quota."""
    namespace = await get_resource(reading.session, Namespace, namespace_id)
    return render(request, "kubernetes/edit_namespace.html", reading, namespace=namespace, most=await _most(reading))


@namespaces.post("/{namespace_id}/edit")
@shown_on("/namespaces/{namespace_id}/edit")
async def edit_namespace(namespace_id: UUID, form: Annotated[NamespaceEditForm, Form()], writing: Writes) -> Response:
    """Change a namespace's quota."""
    change = NamespaceChange(
        description=form.description, vcpus=form.vcpus, ram_mib=form.ram_gib * _MIB, pods=form.pods
    )
    await service.change_namespace(writing.session, writing.principal, namespace_id, change)
    return see_other(f"/namespaces/{namespace_id}")


@namespaces.post("/{namespace_id}/read")
@shown_on("/namespaces/{namespace_id}")
async def read_namespace(namespace_id: UUID, writing: Writes) -> Response:
    """Look into a namespace."""
    await service.read_namespace(writing.session, writing.principal, namespace_id)
    return see_other(f"/namespaces/{namespace_id}#workloads")


@namespaces.get("/{namespace_id}/delete")
async def show_delete_namespace(namespace_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a namespace shall go."""
    namespace = await get_resource(reading.session, Namespace, namespace_id)
    lost = ["Everything that runs in it ends, and everything that is stored in it is lost."]
    targets = await service.find_targets(reading.session, namespace_id)
    lost += [f"What is open from it to {target.name} is closed." for target in targets]
    at = f"/namespaces/{namespace_id}"
    return show_deletion(
        request, reading, namespace, kind="namespace", at=at, consequences=tuple(lost), is_name_asked=True
    )


@namespaces.post("/{namespace_id}/delete")
@shown_on("/namespaces/{namespace_id}/delete")
async def delete_namespace(namespace_id: UUID, form: Annotated[DeletionForm, Form()], writing: Writes) -> Response:
    """Delete a namespace whose name was typed."""
    namespace = await get_resource(writing.session, Namespace, namespace_id)
    if form.name.strip() != namespace.name:
        raise Invalid(errors=[{"where": "body.name", "detail": "This is not the namespace's name."}])
    await service.delete_namespace(writing.session, writing.principal, namespace_id)
    return see_other("/namespaces", notice="deletion-requested")


@namespaces.post("/{namespace_id}/openings")
@shown_on("/namespaces/{namespace_id}")
async def create_opening(namespace_id: UUID, form: Annotated[OpeningForm, Form()], writing: Writes) -> Response:
    """Open a namespace to another one."""
    if form.end_port is not None and form.end_port < form.port:
        raise Invalid(errors=[{"where": "body.end_port", "detail": "Not lower than the first port."}])
    wanted = OpeningCreate(**form.model_dump())
    await openings.create_opening(writing.session, writing.principal, namespace_id, wanted)
    return see_other(f"/namespaces/{namespace_id}#openings")


@namespaces.get("/{namespace_id}/openings/{opening_id}/delete")
async def show_delete_opening(namespace_id: UUID, opening_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether traffic shall be denied again."""
    namespace = await get_resource(reading.session, Namespace, namespace_id)
    opening = await openings.get_opening(reading.session, namespace_id, opening_id)
    source = await get_resource(reading.session, Namespace, opening.from_namespace_id)
    return render(
        request, "kubernetes/delete_opening.html", reading, namespace=namespace, opening=opening, source=source
    )


@namespaces.post("/{namespace_id}/openings/{opening_id}/delete")
@shown_on("/namespaces/{namespace_id}/openings/{opening_id}/delete")
async def delete_opening(namespace_id: UUID, opening_id: UUID, writing: Writes) -> Response:
    """Deny traffic again."""
    await openings.delete_opening(writing.session, writing.principal, namespace_id, opening_id)
    return see_other(f"/namespaces/{namespace_id}#openings")


async def _most(reading: Reading) -> dict[str, int]:
    """Return what the quota's fields admit: no more than the tenant may have in all."""
    quotas = await list_quotas(reading.session)
    return {
        "vcpus": min(quotas["namespace_vcpus"], LARGEST_VCPUS),
        "ram_gib": min(quotas["namespace_ram_mib"], LARGEST_RAM_MIB) // _MIB,
        "pods": min(quotas["namespace_pods"], MOST_PODS),
    }
