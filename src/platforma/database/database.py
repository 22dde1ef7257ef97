"""The database as product code sees it: sessions of one tenant, platform sessions, and the gate."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from sqlalchemy import Connection, Row, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from platforma.database.engine import create_engine
from platforma.database.errors import HeldTransactionError, UnscopedAccessError
from platforma.database.gate_calls import gate_statement
from platforma.database.scoping import PlatformScope, guard, set_scope
from platforma.database.tables import TenantOwned
from platforma.database.tenant_session import Binding, ReadSession, WriteSession

_held: ContextVar[tuple["Database", ...]] = ContextVar("held", default=())
"""The databases in which the present task has a tenant open."""


class PlatformOnlySession(Session):
    """The synchronous heart of PlatformSession."""


class PlatformSession(AsyncSession):
    """Reads and writes platform-wide tables; anything tenant-owned is refused. For operators and set-up."""

    sync_session_class = PlatformOnlySession

    async def connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: see TenantSession."""
        raise UnscopedAccessError("Use execute(), scalars() or get().")


class Database:
    """A pool of connections of one role. Sessions commit when their block ends well, and roll back otherwise."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = create_engine(url, pool_size=pool_size)
        guard(self.engine)

    @asynccontextmanager
    async def read(self, binding: Binding) -> AsyncIterator[ReadSession]:
        """Open a session that reads the tenant of `binding`; raises NotBoundError if there is none."""
        with self._holding():
            async with ReadSession(self.engine, binding) as session, session.begin():
                await session.bind_tenant()
                yield session

    @asynccontextmanager
    async def write(self, binding: Binding) -> AsyncIterator[WriteSession]:
        """Open a session that writes the tenant of `binding`; raises NotBoundError if there is none."""
        with self._holding():
            async with WriteSession(self.engine, binding) as session, session.begin():
                await session.bind_tenant()
                yield session

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[PlatformSession]:
        """Open a session on platform-wide tables."""
        async with PlatformSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def call_gate(self, function: str, **arguments: Any) -> Row[Any] | None:
        """Call one function of the gate in a transaction of its own; return its row, or None.

        Raises HeldTransactionError where the same task has a tenant open: `session.call_gate` is the way there.
        """
        if self in _held.get():
            raise HeldTransactionError(f"gate.{function} would wait for its own request. Use session.call_gate().")
        async with self.engine.begin() as connection:
            return (await connection.execute(gate_statement(function, *arguments), arguments)).one_or_none()

    @contextmanager
    def _holding(self) -> Iterator[None]:
        _held.set((*_held.get(), self))
        try:
            yield
        finally:
            held = list(_held.get())
            if self in held:  # an exit in another context has nothing to undo
                held.remove(self)
            _held.set(tuple(held))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@event.listens_for(PlatformOnlySession, "after_begin")
def _scope_to_platform(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    set_scope(connection, PlatformScope())


@event.listens_for(PlatformOnlySession, "before_attach")
def _refuse_tenant_objects(session: Session, instance: object) -> None:
    if isinstance(instance, TenantOwned):
        raise UnscopedAccessError(f"{type(instance).__name__} is tenant-owned. Open the tenant first.")
