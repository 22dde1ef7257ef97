"""One write, as admission sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from devcloud.kubernetes.authentication import User
from devcloud.kubernetes.kinds import Kind
from devcloud.kubernetes.store import Object


@dataclass
class Write:
    """`operation` is CREATE, UPDATE or DELETE. `object` is None for a deletion, and plugins may change it."""

    operation: str
    kind: Kind
    namespace: str
    name: str
    user: User
    object: Object | None
    old_object: Object | None
    subresource: str = ""
    is_dry_run: bool = False

    @property
    def resource(self) -> str:
        """The resource, with the subresource after a slash."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural

    def is_of(self, plural: str, group: str = "") -> bool:
        """Say whether it is of this resource itself, and of no subresource."""
        return (self.kind.plural, self.kind.group, self.subresource) == (plural, group, "")

    def request(self) -> dict[str, Any]:
        """Return it as the variable `request` of CEL."""
        gvr = {"group": self.kind.group, "version": self.kind.version, "resource": self.kind.plural}
        gvk = {"group": self.kind.group, "version": self.kind.version, "kind": self.kind.kind}
        return {
            "kind": gvk,
            "resource": gvr,
            "subResource": self.subresource,
            "requestKind": gvk,
            "requestResource": gvr,
            "requestSubResource": self.subresource,
            "name": self.name,
            "namespace": self.namespace,
            "operation": self.operation,
            "userInfo": self.user.info(),
            "dryRun": self.is_dry_run,
        }
