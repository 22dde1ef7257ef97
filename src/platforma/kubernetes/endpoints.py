"""`/api/v1/clusters` and `/api/v1/namespaces` with their openings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.kubernetes import clusters as catalogue
from platforma.kubernetes import openings, service
from platforma.kubernetes.models import NamespaceReading
from platforma.kubernetes.schemas import (
    ClusterOut,
    ClusterQuery,
    NamespaceChange,
    NamespaceCreate,
    NamespaceOut,
    NamespaceQuery,
    OpeningCreate,
    OpeningOut,
    WorkloadsOut,
)
from platforma.kubernetes.service import NamespaceWithOpenings
from platforma.operations.models import Operation
from platforma.operations.schemas import Accepted, OperationOut

clusters = APIRouter(prefix="/clusters", tags=["Kubernetes"], route_class=TenantRoute)
namespaces = APIRouter(prefix="/namespaces", tags=["Kubernetes"], route_class=TenantRoute)

ReadsCatalogue = Annotated[Reading, may_read(Permission.CATALOGUE_READ)]
Reads = Annotated[Reading, may_read(Permission.NAMESPACES_READ)]
Writes = Annotated[Writing, may_write(Permission.NAMESPACES_WRITE)]


@clusters.get("")
async def list_clusters(query: Annotated[ClusterQuery, Query()], reading: ReadsCatalogue) -> Page[ClusterOut]:
    """The Kubernetes clusters of your provider."""
    rows, cursor = await catalogue.list_clusters(reading.session, query)
    return Page(items=[ClusterOut.model_validate(row) for row in rows], next=cursor)


@clusters.get("/{cluster_id}")
async def get_cluster(cluster_id: UUID, reading: ReadsCatalogue) -> ClusterOut:
    """One cluster."""
    return ClusterOut.model_validate(await catalogue.get_cluster(reading.session, cluster_id))


@namespaces.get("")
async def list_namespaces(query: Annotated[NamespaceQuery, Query()], reading: Reads) -> Page[NamespaceOut]:
    """Namespaces with what is open to them."""
    return await service.list_namespace_outputs(reading.session, query)


@namespaces.post("", status_code=202)
async def create_namespace(body: NamespaceCreate, writing: Writes) -> Accepted[NamespaceOut]:
    """Make a namespace. Nothing comes in from other namespaces until you open it to one of your own."""
    namespace, operation = await service.create_namespace(writing.session, writing.principal, body)
    return accepted_namespace((namespace, []), operation)


@namespaces.get("/{namespace_id}")
async def get_namespace(namespace_id: UUID, reading: Reads) -> NamespaceOut:
    """One namespace."""
    return namespace_out(await service.get_namespace(reading.session, namespace_id))


@namespaces.patch("/{namespace_id}", status_code=202)
async def change_namespace(namespace_id: UUID, body: NamespaceChange, writing: Writes) -> Accepted[NamespaceOut]:
    """Change a namespace's quota or description."""
    return accepted_namespace(*await service.change_namespace(writing.session, writing.principal, namespace_id, body))


@namespaces.delete("/{namespace_id}", status_code=202)
async def delete_namespace(namespace_id: UUID, writing: Writes) -> Accepted[NamespaceOut]:
    """Delete a namespace with everything that runs and is stored in it."""
    return accepted_namespace(*await service.delete_namespace(writing.session, writing.principal, namespace_id))


@namespaces.post("/{namespace_id}/read", status_code=202)
async def read_namespace(namespace_id: UUID, writing: Writes) -> Accepted[NamespaceOut]:
    """Have a worker look at what runs in a namespace, and mend what is not as it should be."""
    return accepted_namespace(*await service.read_namespace(writing.session, writing.principal, namespace_id))


@namespaces.get("/{namespace_id}/workloads")
async def get_workloads(namespace_id: UUID, reading: Reads) -> WorkloadsOut:
    """Workloads, events and use of the quota, as they were when the namespace was last read."""
    return workloads_out(await service.get_reading(reading.session, namespace_id))


@namespaces.post("/{namespace_id}/openings", status_code=202)
async def create_opening(namespace_id: UUID, body: OpeningCreate, writing: Writes) -> Accepted[OpeningOut]:
    """Admit traffic from another of your namespaces."""
    return accepted_opening(*await openings.create_opening(writing.session, writing.principal, namespace_id, body))


@namespaces.delete("/{namespace_id}/openings/{opening_id}", status_code=202)
async def delete_opening(namespace_id: UUID, opening_id: UUID, writing: Writes) -> Accepted[OpeningOut]:
    """Admit it no more."""
    deleted = await openings.delete_opening(writing.session, writing.principal, namespace_id, opening_id)
    return accepted_opening(*deleted)


def namespace_out(found: NamespaceWithOpenings) -> NamespaceOut:
    """Describe a namespace."""
    namespace, rows = found
    fields = {name: getattr(namespace, name) for name in NamespaceOut.model_fields if name != "openings"}
    return NamespaceOut(**fields, openings=[OpeningOut.model_validate(row) for row in rows])


def accepted_namespace(found: NamespaceWithOpenings, operation: Operation) -> Accepted[NamespaceOut]:
    """Answer a change of a namespace."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=namespace_out(found))


def accepted_opening(row: object, operation: Operation) -> Accepted[OpeningOut]:
    """Answer a change of what is open."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=OpeningOut.model_validate(row))


def workloads_out(reading: NamespaceReading | None) -> WorkloadsOut:
    """Describe what was last seen."""
    if reading is None:
        return WorkloadsOut(read_at=None, workloads=[], events=[], used=None)
    return WorkloadsOut.model_validate({"read_at": reading.read_at, **reading.content})
