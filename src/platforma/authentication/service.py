"""Signing in and out, passwords, invitations, and the sessions of a member."""

import math
from dataclasses import dataclass
from ipaddress import ip_network
from uuid import UUID

from sqlalchemy import func, select, update

from platforma.authentication.errors import InvitationInvalid, PasswordsThrottled, SignInFailed, SignInThrottled
from platforma.authentication.models import Session
from platforma.authentication.passwords import PasswordStretcher, check_password, normalize_email
from platforma.authentication.principals import Principal, SessionBinding
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.crypto import new_token
from platforma.kit.ids import new_id
from platforma.kit.problems import Invalid, NotFound, NotSignedIn
from platforma.settings import SessionSettings, SignInLimit
from platforma.tenants.models import AuditEvent

_WRONG_PASSWORD = [{"where": "body.present_password", "detail": "This is not your present password."}]


@dataclass(frozen=True)
class Browser:
    """From where somebody signs in, for the list of sessions. Nothing is decided by it but the rate limit."""

    address: str
    user_agent: str

    @property
    def source(self) -> str:
        """Whom the rate limit counts: an address, or with IPv6 the network of 64 bits that one host has to itself."""
        if ":" not in self.address:
            return self.address
        return str(ip_network((self.address, 64), strict=False))


@dataclass(frozen=True)
class Invited:
    """Whom an invitation is for."""

    email: str
    name: str
    tenant_name: str


class Authenticator:
    """Signs members in at one portal process."""

    def __init__(
        self, database: Database, stretcher: PasswordStretcher, session: SessionSettings, limit: SignInLimit
    ) -> None:
        self._database = database
        self._stretcher = stretcher
        self._session = session
        self._limit = limit

    async def sign_in(
        self, *, host: str, email: str, password: str, browser: Browser, previous_token: str | None
    ) -> tuple[Principal, str]:
        """Return the principal and the token of a new session; the browser's former session ends.

        Raises SignInFailed or SignInThrottled. Takes the same steps and time whether the e-mail has an account
        or not. The attempt that was spent is committed before the password is looked at.
        """
        account = normalize_email(email)
        begun = await self._database.call_gate(
            "begin_sign_in",
            host=host,
            account=account,
            source=browser.source,
            source_capacity=self._limit.source_capacity,
            source_refill=self._limit.source_refill,
            account_capacity=self._limit.account_capacity,
            account_refill=self._limit.account_refill,
        )
        if begun is None:
            raise SignInFailed  # no portal here: nothing to hide, and no attempt to spend
        if begun.retry_after > 0:
            wait = math.ceil(begun.retry_after)
            raise SignInThrottled(f"Try again in {wait} s.", retry_after=wait)
        stretched = await self._stretcher.stretch(password, begun.salt)
        token = new_token()
        await self._database.call_gate(
            "sign_in",
            host=host,
            account=account,
            stretched=stretched,
            token=token,
            previous_token=previous_token,
            user_agent=browser.user_agent,
            address=browser.address,
            idle_seconds=self._session.idle_seconds,
            lifetime_seconds=self._session.lifetime_seconds,
            new_session_id=new_id(),
        )
        binding = SessionBinding(token, host)
        try:
            async with self._database.write(binding) as session:
                principal = binding.require_principal()
                session.add(
                    AuditEvent(actor=principal.email, action="session.create", details={"address": browser.address})
                )
        except NotBoundError:
            raise SignInFailed from None
        return principal, token

    async def sign_out(self, *, host: str, token: str | None) -> None:
        """End the session of a token. Nothing happens if there is none."""
        if token is not None:
            await self._database.call_gate("close_session", token=token, host=host)

    async def change_password(self, *, host: str, token: str, me: Principal, present: str, new: str) -> str:
        """Change the member's password; all sessions end but this, which goes on under the returned token.

        Raises NotSignedIn, Invalid for a wrong present password or a bad new one, or PasswordsThrottled.
        """
        own = (me.email, me.name, me.tenant_name, *await self._names_of(host))
        check_password(new, own=own, field="new_password")
        begun = await self._database.call_gate(
            "begin_password_change",
            token=token,
            host=host,
            capacity=self._limit.account_capacity,
            refill=self._limit.account_refill,
        )
        if begun is None:
            raise NotSignedIn
        if begun.retry_after > 0:
            wait = math.ceil(begun.retry_after)
            raise PasswordsThrottled(f"Try again in {wait} s.", retry_after=wait)
        stretched = await self._stretcher.stretch(present, begun.salt)
        row = await self._database.call_gate("is_present_password", token=token, host=host, stretched=stretched)
        if row is None or not row[0]:
            raise Invalid(errors=_WRONG_PASSWORD)
        made = await self._stretcher.make(new)
        new_session_token = new_token()
        row = await self._database.call_gate(
            "change_password",
            token=token,
            host=host,
            stretched=stretched,
            new_salt=made.salt,
            new_verifier=made.verifier,
            new_token=new_session_token,
            new_session_id=new_id(),
        )
        if row is None or not row[0]:
            raise Invalid(errors=_WRONG_PASSWORD)
        return new_session_token

    async def _names_of(self, host: str) -> tuple[str, ...]:
        portal = await self._database.call_gate("find_portal", host=host)
        return (portal.name, portal.title, host) if portal is not None else ()

    async def find_invitation(self, *, host: str, token: str) -> Invited:
        """Return whom an invitation is for; raises InvitationInvalid."""
        row = await self._database.call_gate("find_invitation", token=token, host=host)
        if row is None:
            raise InvitationInvalid
        return Invited(row.email, row.name, row.tenant_name)

    async def accept_invitation(self, *, host: str, token: str, password: str) -> str:
        """Use an invitation up and set the password; return the e-mail to sign in with."""
        invited = await self.find_invitation(host=host, token=token)  # strangers' guesses are not worth a stretching
        check_password(password, own=(invited.email, invited.name, invited.tenant_name, *await self._names_of(host)))
        made = await self._stretcher.make(password)
        row = await self._database.call_gate(
            "accept_invitation", token=token, host=host, new_salt=made.salt, new_verifier=made.verifier
        )
        if row is None or row[0] is None:
            raise InvitationInvalid
        return str(row[0])


async def list_sessions(session: TenantSession, member_id: UUID) -> list[Session]:
    """Return the live sessions of a member, the one used last first."""
    statement = (
        select(Session)
        .where(
            Session.member_id == member_id,
            Session.revoked_at.is_(None),
            Session.expires_at > func.now(),
            Session.last_seen_at + func.make_interval(0, 0, 0, 0, 0, 0, Session.idle_seconds) > func.now(),
        )
        .order_by(Session.last_seen_at.desc(), Session.id)
    )
    return list((await session.scalars(statement)).all())


async def revoke_session(session: WriteSession, actor: Principal, member_id: UUID, session_id: UUID) -> None:
    """End one session of a member; raises NotFound if the member has no such live session."""
    row = await session.get(Session, session_id, with_for_update=True)
    if row is None or row.member_id != member_id or row.revoked_at is not None:
        raise NotFound
    row.revoked_at = func.now()
    session.add(AuditEvent(actor=actor.email, action="session.revoke", target=str(session_id)))


async def revoke_sessions(
    session: WriteSession, actor: Principal, member_id: UUID, *, except_session: UUID | None = None
) -> int:
    """End all sessions of a member, but for one if it is named; return how many ended."""
    statement = (
        update(Session)
        .where(Session.member_id == member_id, Session.revoked_at.is_(None), Session.id != (except_session or new_id()))
        .values(revoked_at=func.now())
        .execution_options(synchronize_session=False)
    )
    ended = (await session.execute(statement)).rowcount  # type: ignore[attr-defined]
    session.add(AuditEvent(actor=actor.email, action="session.revoke_all", target=str(member_id)))
    return int(ended)
