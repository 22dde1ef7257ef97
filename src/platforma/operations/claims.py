"""A worker's right to take one step of an operation."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from platforma.operations.models import Plane
from platforma.operations.reconciling import Reconciler
from platforma.operations.troubles import Trouble


@dataclass(frozen=True)
class Claim:
    """The right to take one step of an operation, and what is needed for it.

    `trouble` is set when it is clear before the step that it cannot be taken.
    """

    token: UUID
    operation_id: UUID
    tenant_id: UUID
    action: str
    plane: Plane
    reconciler: Reconciler[Any, Any]
    resource_id: UUID
    view: Any
    sealed: bytes | None
    trouble: Trouble | None = None
