"""What the fake cloud holds: objects that change with each look at them, and faults that wait for a call."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import uuid4

from platforma.clouds.blocks.memory import MemoryPool
from platforma.clouds.openstack.errors import CloudConflict, CloudError, CloudNotFound, CloudQuotaExceeded
from platforma.clouds.openstack.resources import CloudId, CloudKind, CloudObject

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class FakeObject:
    """An object in the fake cloud. `attributes` is what its kind needs besides."""

    cloud_id: CloudId
    kind: CloudKind
    project_id: str
    name: str
    status: str | None
    attributes: dict[str, Any] = field(default_factory=dict)
    next_status: str | None = None
    """What it becomes after `polls_left` more looks; the empty string is gone."""
    polls_left: int = 0

    def observed(self) -> CloudObject:
        """Return it as an inventory shows it."""
        return CloudObject(cloud_id=self.cloud_id, name=self.name, kind=self.kind, status=self.status)


@dataclass(frozen=True)
class FakeCall:
    """A call that was made; `project_id` is None for the administration's."""

    project_id: str | None
    method: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


@dataclass
class _Fault:
    error: CloudError
    is_after: bool


QUOTA_OF_KIND = {
    CloudKind.SERVER: "servers",
    CloudKind.VOLUME: "volumes",
    CloudKind.SNAPSHOT: "snapshots",
    CloudKind.NETWORK: "networks",
    CloudKind.SUBNET: "subnets",
    CloudKind.ROUTER: "routers",
    CloudKind.PORT: "ports",
    CloudKind.SECURITY_GROUP: "security_groups",
    CloudKind.FLOATING_IP: "floating_ips",
    CloudKind.KEY_PAIR: "key_pairs",
}


class FakeState:
    """Everything in the fake cloud, behind one lock.

    `polls_until_ready` is how many looks it takes until a server is ACTIVE, a volume available, or either gone.
    """

    def __init__(self, *, polls_until_ready: int = 1) -> None:
        self.lock = threading.RLock()
        self.polls_until_ready = polls_until_ready
        self.objects: dict[CloudId, FakeObject] = {}
        self.calls: list[FakeCall] = []
        self.quotas: dict[str, dict[str, int]] = {}
        self.pool = MemoryPool()
        self.volume_types = {"standard": False, "zeroed": True}
        """By name whether the back end overwrites what is deleted."""
        self._faults: dict[str, list[_Fault]] = {}
        self._failures: dict[CloudKind, list[str]] = {}

    def fail_next(self, method: str, error: CloudError, *, times: int = 1) -> None:
        """Have the next calls of a method raise the error instead of doing anything."""
        self._faults.setdefault(method, []).extend(_Fault(error, is_after=False) for _ in range(times))

    def lose_answer(self, method: str, error: CloudError) -> None:
        """Have the next call of a method do its work, and then raise the error all the same."""
        self._faults.setdefault(method, []).append(_Fault(error, is_after=True))

    def break_next(self, kind: CloudKind, fault: str) -> None:
        """Have the next server or volume that is created end in error."""
        self._failures.setdefault(kind, []).append(fault)

    def add(
        self, kind: CloudKind, project_id: str, name: str, *, status: str | None = "ACTIVE", **attributes: Any
    ) -> FakeObject:
        """Put an object into a project; raises CloudQuotaExceeded. Also for tests, to act behind our back."""
        quota = self.quotas.get(project_id, {}).get(QUOTA_OF_KIND[kind])
        if quota is not None and len(self.list(kind, project_id)) >= quota:
            raise CloudQuotaExceeded(f"{QUOTA_OF_KIND[kind]}: {quota} of {quota} are used.")
        cloud_id = name if kind is CloudKind.KEY_PAIR else str(uuid4())
        made = FakeObject(cloud_id, kind, project_id, name, status, attributes)
        self.objects[cloud_id] = made
        return made

    def settle(self, item: FakeObject, status: str) -> None:
        """Let an object become `status` after the usual number of looks; the empty string is gone."""
        failures = self._failures.get(item.kind)
        if failures and status in {"ACTIVE", "available"} and "fault" not in item.attributes:
            item.attributes["fault"] = failures.pop(0)
            status = "ERROR" if item.kind is CloudKind.SERVER else "error"
        item.next_status, item.polls_left = status, self.polls_until_ready
        if self.polls_until_ready == 0:
            self._arrive(item)

    def look(self, item: FakeObject) -> bool:
        """Count a look at the object, and say whether it is still there."""
        if item.next_status is not None:
            item.polls_left -= 1
            if item.polls_left <= 0:
                self._arrive(item)
        return item.cloud_id in self.objects

    def list(self, kind: CloudKind, project_id: str) -> list[FakeObject]:
        """Return a project's objects of one kind, oldest first."""
        return [item for item in self.objects.values() if item.kind is kind and item.project_id == project_id]

    def get(self, kind: CloudKind, project_id: str, cloud_id: CloudId) -> FakeObject:
        """Return an object of the project; raises CloudNotFound for any other."""
        item = self.objects.get(cloud_id)
        if item is None or item.kind is not kind or item.project_id != project_id:
            raise CloudNotFound
        return item

    def remove(self, item: FakeObject) -> None:
        """Take an object out of the cloud."""
        self.objects.pop(item.cloud_id, None)
        self.pool.release(item.cloud_id, clear=bool(item.attributes.get("clears")))

    def take(self, call: FakeCall, work: Callable[[], R]) -> R:
        """Do a call's work, unless a fault waits for it."""
        with self.lock:
            self.calls.append(call)
            faults = self._faults.get(call.method)
            fault = faults.pop(0) if faults else None
            if fault is not None and not fault.is_after:
                raise fault.error
            result = work()
            if fault is not None:
                raise fault.error
            return result

    def _arrive(self, item: FakeObject) -> None:
        status, item.next_status = item.next_status, None
        if status == "":
            self.remove(item)
        else:
            item.status = status


class FakePart(Protocol):
    """A part of the fake client: where it works, and whether it still may."""

    state: FakeState

    @property
    def project_id(self) -> str | None: ...

    def check_credential(self) -> None: ...


S = TypeVar("S", bound=FakePart)


def cloud_call(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Mark a method as a call to the cloud: it is recorded, needs a valid credential, and can be made to fail."""

    @wraps(method)
    def called(self: S, /, *arguments: P.args, **keywords: P.kwargs) -> R:
        def work() -> R:
            self.check_credential()
            return method(self, *arguments, **keywords)

        return self.state.take(FakeCall(self.project_id, method.__name__, arguments, dict(keywords)), work)

    return called


def refuse_if(is_busy: bool, reason: str) -> None:
    """Raise CloudConflict with OpenStack's usual kind of reason."""
    if is_busy:
        raise CloudConflict(reason)
