"""What the API says about operations."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from platforma.api.fields import Output
from platforma.api.lists import ListQuery
from platforma.operations.models import OperationStatus, ResourceStatus

Resource = TypeVar("Resource")


class OperationProblem(BaseModel):
    """Why an operation failed or waits."""

    type: str
    title: str
    detail: str | None = None


class OperationOut(Output):
    """One wish, and how far it has come."""

    id: UUID
    action: str
    resource_kind: str
    resource_id: UUID
    resource_name: str
    requested_by: str
    status: OperationStatus
    progress: int = Field(description="Percent.")
    step: str | None = Field(description="What is being done or waited for.")
    error: OperationProblem | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class Accepted(BaseModel, Generic[Resource]):
    """The wish is kept and will be carried out; follow the operation."""

    operation: OperationOut
    resource: Resource


class ResourceOut(Output):
    """What every resource tells."""

    id: UUID
    name: str
    description: str
    status: ResourceStatus
    status_reason: str | None
    created_at: datetime
    updated_at: datetime


class OperationQuery(ListQuery):
    """Filters of the list of operations."""

    sort: str = Field(default="-created_at", pattern=r"^-?[a-z_]{1,40}$")
    status: OperationStatus | None = None
    resource_id: UUID | None = None
    resource_kind: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z_]*$")] | None = None
