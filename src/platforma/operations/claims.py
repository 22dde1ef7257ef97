"""A worker's right to take one step of an operation."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from platforma.operations.keys import Key
from platforma.operations.models import Plane
from platforma.operations.reconciling import Reconciler


@dataclass(frozen=True)
class Claim:
    """The right to take one step of an operation, and what is needed for it."""

    token: UUID
    operation_id: UUID
    tenant_id: UUID
    action: str
    plane: Plane
    reconciler: Reconciler[Any, Any]
    resource_id: UUID
    view: Any
    key: Key
