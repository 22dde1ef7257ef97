"""Operators: their creation, and their signing in and out.

The gate keeps operators' passwords and sessions as it keeps members', in tables of their own: no token and no
password of the one plane means anything at the other.
"""

import math
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from platforma.authentication.errors import SignInFailed, SignInThrottled
from platforma.authentication.passwords import PasswordStretcher, normalize_email
from platforma.authentication.service import Browser
from platforma.database.database import Database
from platforma.kit.crypto import new_token
from platforma.operator.errors import OperatorExists
from platforma.settings import SessionSettings, SignInLimit
from platforma.tenants.models import OperatorAudit

_SALT_IF_NONE = bytes(16)


@dataclass(frozen=True, slots=True)
class OperatorPrincipal:
    """A signed-in operator, as the gate derived it from the session."""

    id: UUID
    email: str
    name: str


async def create_operator(
    database: Database, stretcher: PasswordStretcher, email: str, name: str, password: str
) -> UUID:
    """Create an operator who may sign in; return the id. Raises Invalid for a short password, or OperatorExists."""
    made = await stretcher.make(password)
    address = normalize_email(email)
    try:
        row = await database.call_gate(
            "create_operator", email=address, name=name, new_salt=made.salt, new_verifier=made.verifier
        )
    except IntegrityError as error:
        raise OperatorExists(f"{address} is an operator already.") from error
    assert row is not None  # noqa: S101 (the function returns a value or raises)
    created: UUID = row[0]
    return created


class OperatorAuthenticator:
    """Signs operators in at one process of their plane."""

    def __init__(
        self, database: Database, stretcher: PasswordStretcher, session: SessionSettings, limit: SignInLimit
    ) -> None:
        self._database = database
        self._stretcher = stretcher
        self._session = session
        self._limit = limit

    async def sign_in(
        self, *, email: str, password: str, browser: Browser, previous_token: str | None
    ) -> tuple[OperatorPrincipal, str]:
        """Return the operator and the token of a new session; the browser's former session ends.

        Raises SignInFailed or SignInThrottled. Takes the same steps and time whether the e-mail is an operator's
        or not. The attempt that was spent is committed before the password is looked at.
        """
        account = normalize_email(email)
        begun = await self._database.call_gate(
            "begin_operator_sign_in",
            account=account,
            source=browser.source,
            source_capacity=self._limit.source_capacity,
            source_refill=self._limit.source_refill,
            account_capacity=self._limit.account_capacity,
            account_refill=self._limit.account_refill,
        )
        if begun is not None and begun.retry_after > 0:
            wait = math.ceil(begun.retry_after)
            raise SignInThrottled(f"Try again in {wait} s.", retry_after=wait)
        stretched = await self._stretcher.stretch(password, begun.salt if begun is not None else _SALT_IF_NONE)
        token = new_token()
        await self._database.call_gate(
            "operator_sign_in",
            account=account,
            stretched=stretched,
            token=token,
            previous_token=previous_token,
            user_agent=browser.user_agent,
            address=browser.address,
            idle_seconds=self._session.idle_seconds,
            lifetime_seconds=self._session.lifetime_seconds,
        )
        operator = await self.find_operator(token)
        if operator is None:
            raise SignInFailed
        async with self._database.platform() as session:
            session.add(OperatorAudit(actor=operator.email, action="session.create", reason="Signed in."))
        return operator, token

    async def find_operator(self, token: str) -> OperatorPrincipal | None:
        """Return the operator of a live session; None for any other token."""
        row = await self._database.call_gate("open_operator_session", token=token)
        return OperatorPrincipal(row.operator_id, row.email, row.name) if row is not None else None

    async def sign_out(self, token: str | None) -> None:
        """End the session of a token. Nothing happens if there is none."""
        if token is not None:
            await self._database.call_gate("close_operator_session", token=token)
