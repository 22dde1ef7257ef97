"""The principal: who is calling, as the gate derived it from the session."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from platforma.authentication.errors import PaymentOverdue
from platforma.authentication.permissions import ON_HOLD, Permission, Role, allows
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import call_gate
from platforma.kit.ids import MemberId, PortalId, SessionId, TenantId
from platforma.kit.problems import Forbidden

HELD = "on_hold"
"""The `tenant_status` of a tenant that has not paid."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in member. Nothing in it came from the request but by way of the session."""

    session_id: SessionId
    member_id: MemberId
    tenant_id: TenantId
    portal_id: PortalId
    role: Role
    email: str
    name: str
    tenant_name: str
    tenant_status: str

    def may(self, permission: Permission) -> bool:
        """Say whether the member's role has a permission."""
        return allows(self.role, permission)

    def require(self, permission: Permission, *, is_deletion: bool = False) -> None:
        """Raise Forbidden unless the member's role has a permission.

        Members of a tenant that has not paid may still delete, as what they cannot delete goes on costing them.
        """
        if not self.may(permission):
            raise Forbidden(f"Your role is {self.role}. Ask an owner or admin of {self.tenant_name}.")
        if self.tenant_status == HELD and permission not in ON_HOLD and not is_deletion:
            raise PaymentOverdue("Until the overdue invoices are paid you can only delete. See Invoices.")


@dataclass
class SessionBinding:
    """Binds a request's transaction to the tenant of its session, and keeps the principal."""

    token: str = field(repr=False)
    host: str
    principal: Principal | None = None

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding: one call authenticates and binds."""
        row = call_gate(connection, "open_session", token=self.token, host=self.host)
        if row is None:
            return None
        self.principal = Principal(
            session_id=row.session_id,
            member_id=row.member_id,
            tenant_id=row.tenant_id,
            portal_id=row.portal_id,
            role=Role(row.role),
            email=row.email,
            name=row.name,
            tenant_name=row.tenant_name,
            tenant_status=row.tenant_status,
        )
        return self.principal.tenant_id

    def require_principal(self) -> Principal:
        """Return the principal of a bound session; raises NotBoundError before it is bound."""
        if self.principal is None:
            raise NotBoundError("The session is not open.")
        return self.principal
