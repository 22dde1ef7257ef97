"""Two tenants at two portals, made as the product makes them: invitation, acceptance, sign-in."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from platforma.authentication.passwords import NewPassword, PasswordStretcher
from platforma.authentication.principals import Principal, SessionBinding
from platforma.database.database import Database
from platforma.database.gate_calls import OperatorBinding
from platforma.kit.crypto import new_token
from platforma.kit.ids import new_id
from platforma.portal.models import Domain, Portal
from platforma.tenants.models import Member, Tenant

PEPPER = base64.urlsafe_b64encode(b"the pepper of the tests".ljust(32, b".")).decode()
PROVEN: dict[str, Any] = {"is_proven": True, "proven_at": datetime(2026, 1, 1, tzinfo=UTC)}
"""What a domain has that leads to its portal."""

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Secret:
    """The one password of all test members, stretched once per process."""

    password: str
    stretched: bytes
    made: NewPassword

    @classmethod
    async def make(cls) -> "Secret":
        """Stretch the password as the product does."""
        stretcher = PasswordStretcher(PEPPER)
        made = await stretcher.make(PASSWORD)
        return cls(PASSWORD, await stretcher.stretch(PASSWORD, made.salt), made)


@dataclass(frozen=True)
class SignedIn:
    """A member with a live session."""

    portal_id: UUID
    host: str
    tenant_id: UUID
    member_id: UUID
    session_id: UUID
    email: str
    password: str
    stretched: bytes = field(repr=False)
    token: str = field(repr=False)

    def binding(self) -> SessionBinding:
        """Return a new binding of the session, for `Database.read` and `Database.write`."""
        return SessionBinding(self.token, self.host)


@dataclass(frozen=True)
class TwoTenants:
    """A and B: a portal, a tenant and an owner each. Nothing is shared but the server."""

    a: SignedIn
    b: SignedIn


async def make_two_tenants(operator: Database, portal: Database, secret: Secret) -> TwoTenants:
    """Make A and B, and sign their owners in. Safe to call many times in one database."""
    return TwoTenants(
        await make_signed_in(operator, portal, secret, "a"), await make_signed_in(operator, portal, secret, "b")
    )


async def make_signed_in(
    operator: Database, portal: Database, secret: Secret, name: str, *, status: str = "active"
) -> SignedIn:
    """Make a portal at `name-….localhost` with one tenant, and sign its owner in."""
    portal_id, tenant_id = new_id(), new_id()
    tag = portal_id.hex[-8:]
    host = f"{name}-{tag}.localhost"
    async with operator.platform() as session:
        session.add(Portal(id=portal_id, name=f"{name}-{tag}", title=name.upper()))
        await session.flush()
        session.add(Domain(host=host, portal_id=portal_id, is_canonical=True, **PROVEN))
        session.add(Tenant(id=tenant_id, portal_id=portal_id, name=f"Tenant {name} {tag}", status=status))
    email = f"owner@{host}"
    member_id = await invite_and_accept(operator, portal, secret, tenant_id, host, email, role="owner")
    principal, token = await sign_in(portal, secret, host, email)
    return SignedIn(
        portal_id,
        host,
        tenant_id,
        member_id,
        principal.session_id,
        email,
        secret.password,
        secret.stretched,
        token,
    )


async def invite_and_accept(
    operator: Database, portal: Database, secret: Secret, tenant_id: UUID, host: str, email: str, *, role: str
) -> UUID:
    """Invite a member, and accept the invitation with the password of the tests; return the member's id."""
    invitation = new_token()
    async with operator.write(OperatorBinding(tenant_id, "tests", "member.invite", "A member for a test.")) as session:
        member = Member(email=email, name=email.partition("@")[0].title(), role=role)
        session.add(member)
        await session.flush()
        await session.call_gate("create_invitation", member=member.id, token=invitation, lifetime_seconds=3600)
    accepted = await portal.call_gate(
        "accept_invitation",
        token=invitation,
        host=host,
        new_salt=secret.made.salt,
        new_verifier=secret.made.verifier,
    )
    assert accepted is not None
    assert accepted[0] == email
    return member.id


async def sign_in(
    portal: Database, secret: Secret, host: str, email: str, *, previous_token: str | None = None
) -> tuple[Principal, str]:
    """Sign a member in through the gate; return the principal and the token of the new session."""
    token = new_token()
    await portal.call_gate(
        "sign_in",
        host=host,
        account=email,
        stretched=secret.stretched,
        token=token,
        previous_token=previous_token,
        user_agent="tests",
        address="127.0.0.1",
        idle_seconds=3600,
        lifetime_seconds=12 * 3600,
        new_session_id=new_id(),
    )
    binding = SessionBinding(token, host)
    async with portal.read(binding):
        return binding.require_principal(), token
