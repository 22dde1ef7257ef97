"""The pattern by which every resource is brought from what is observed to what is desired.

A reconciler has two halves, and the engine (`platforma.operations.engine`) runs them in turn:

`load` runs in a transaction that is bound to the tenant of the operation, and returns what it needs of the
rows as a frozen dataclass, the view: desired and observed values, and no row.

`step` runs in a thread, outside any transaction, with the view and the tenant's cloud. It takes **one**
idempotent step and says in a `Step` what came of it. It is called again and again until it answers `done`
or `gone`, and the worker may be killed between any two lines of it. So:

- Look before you make: find the object by its `cloud_id`, else by the name that is derived from our id.
- Make at most one object in a step, then answer `again(0)` with its id to record. If the answer is lost, the
  next step finds the object by its name.
- To be done is to have seen that the cloud has what is desired; never conclude it from what was sent.
- Deletion is desired state too (`deletion_requested_at`): delete, answer `again`, and answer `gone` when the
  cloud has it no more.
- Raise what the cloud raises. The engine repeats what is transient and gives up on what is not.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import select

from platforma.database.tables import TenantOwned
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.operations.keys import AdministrationKey, Key, ProjectKey
from platforma.operations.models import Plane, Resource
from platforma.tenants.models import OPENSTACK, CloudCredential

View = TypeVar("View")
Cloud = TypeVar("Cloud")

RowKey = tuple[type[TenantOwned], UUID]
"""A row of the bound tenant: its model and its id."""

Changes = Mapping[RowKey, Mapping[str, Any]]
"""Observed values to write: for each row its columns. A row that has gone meanwhile is passed over."""

NO_CHANGES: Changes = MappingProxyType({})

Record = Callable[[WriteSession], Awaitable[None]]
"""Called in the transaction that records a step, for what `changes` cannot say. Must be safe to run twice."""


class Outcome(Enum):
    """What a step says about its resource."""

    DONE = "done"
    AGAIN = "again"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """What came of a step. Made by `done`, `again`, `gone` and `failed`."""

    outcome: Outcome
    words: str | None = None
    progress: int | None = None
    after_seconds: float = 0
    changes: Changes = field(default_factory=lambda: NO_CHANGES)
    deletions: tuple[RowKey, ...] = ()
    record: Record | None = None


def done(changes: Changes = NO_CHANGES, *, deletions: Iterable[RowKey] = (), record: Record | None = None) -> Step:
    """Say that the cloud has been seen to have what is desired. The resource becomes active."""
    return Step(Outcome.DONE, progress=100, changes=changes, deletions=tuple(deletions), record=record)


def again(
    after_seconds: float,
    words: str,
    *,
    progress: int | None = None,
    changes: Changes = NO_CHANGES,
    deletions: Iterable[RowKey] = (),
    record: Record | None = None,
) -> Step:
    """Ask for the next step, at once (0) or after some seconds.

    `words` tell the person what is being done or waited for.
    """
    return Step(Outcome.AGAIN, words, progress, after_seconds, changes, tuple(deletions), record)


def gone(changes: Changes = NO_CHANGES, *, deletions: Iterable[RowKey] = (), record: Record | None = None) -> Step:
    """Say that the cloud has nothing of the resource any more. `deletions` go first, then the resource's row."""
    return Step(Outcome.GONE, progress=100, changes=changes, deletions=tuple(deletions), record=record)


def failed(words: str, changes: Changes = NO_CHANGES) -> Step:
    """Say that trying again would not help, and in `words` why, so that the person can act on it."""
    return Step(Outcome.FAILED, words, changes=changes)


class Reconciler(ABC, Generic[View, Cloud]):
    """Brings one kind of resource from what is observed to what is desired. Keeps no state of its own."""

    kind: ClassVar[str]
    """As in `Operation.resource_kind`."""
    plane: ClassVar[Plane] = Plane.TENANT
    """`TENANT`: `step` gets the tenant's own ProjectCloud. `PLATFORM`: it gets CloudAdministration. See `find_key`."""
    model: ClassVar[type[Resource] | None] = None
    """The row whose status the engine keeps, and deletes when the resource is gone."""
    leaves_evidence: ClassVar[bool] = False
    """Whether its deletions are carried out, by this reconciler, also for a tenant that is being offboarded."""
    leaves_nothing: ClassVar[bool] = False
    """Whether all operations of the tenant, this one too, are deleted when the resource is gone."""

    @abstractmethod
    async def load(self, session: TenantSession, resource_id: UUID) -> View | None:
        """Return what `step` needs to know, or None if the resource is no more. Changes nothing."""

    async def find_key(self, session: TenantSession, view: View) -> Key | None:
        """Return what opens the cloud that `step` gets, or None if the tenant has none yet. Changes nothing."""
        if self.plane is Plane.PLATFORM:
            return AdministrationKey()
        statement = select(CloudCredential.sealed).where(CloudCredential.cloud == OPENSTACK)
        sealed: bytes | None = await session.scalar(statement)
        return None if sealed is None else ProjectKey(sealed)

    @abstractmethod
    def step(self, view: View, cloud: Cloud) -> Step:
        """Take one idempotent step in the cloud. Touches no database; called in a thread of its own."""


class Reconcilers:
    """The reconcilers of one process by their kind. The inventory of what can exist in a cloud for a tenant."""

    def __init__(self, reconcilers: Iterable[Reconciler[Any, Any]]) -> None:
        self._by_kind: dict[tuple[Plane, str], Reconciler[Any, Any]] = {}
        for reconciler in reconcilers:
            key = (reconciler.plane, reconciler.kind)
            if key in self._by_kind:
                raise ValueError(f"There are two reconcilers of {reconciler.kind}.")
            self._by_kind[key] = reconciler

    def find(self, plane: Plane, kind: str) -> Reconciler[Any, Any] | None:
        """Return the reconciler of a kind of resource, or None."""
        return self._by_kind.get((plane, kind))

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind of resource that this process can reconcile."""
        return frozenset(kind for _, kind in self._by_kind)
