"""TenantSession: a SQLAlchemy session that belongs to one tenant for life.

It is opened with a binding (a session's token and host, an operation's id, an operator's reason), never with
a tenant's id: the gate derives the tenant and binds the transaction, and the session takes it from there. It
adds the tenant's filter to every statement, stamps and guards every write, and refuses what it cannot
confine. Row-level security repeats all of it underneath.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol, TypeVarTuple
from uuid import UUID

from sqlalchemy import Connection, Select, event, inspect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session, SessionTransaction, attributes
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.util.concurrency import greenlet_spawn

from platforma.database.errors import CrossTenantError, NotBoundError, UnscopedAccessError
from platforma.database.gate_calls import GateRow, call_gate
from platforma.database.scoping import TenantScope, set_scope, tenant_filters
from platforma.database.tables import Base, TenantOwned

Rows = TypeVarTuple("Rows")

_IS_PREPARED = "platforma_is_prepared"


class Binding(Protocol):
    """A secret or fact from which the gate derives the tenant."""

    def bind(self, connection: Connection) -> UUID | None:
        """Call the gate on this transaction; return the tenant it bound, or None."""
        ...


class ScopedSession(Session):
    """The synchronous heart of TenantSession. Product code never makes one."""

    def __init__(self, *args: Any, binding: Binding, is_read_only: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._binding = binding
        self._is_read_only = is_read_only
        self._tenant_id: UUID | None = None
        self._filters: tuple[ORMOption, ...] = ()

    @property
    def tenant_id(self) -> UUID:
        """The tenant that this session belongs to; raises NotBoundError before the first transaction."""
        if self._tenant_id is None:
            raise NotBoundError("No tenant is bound yet.")
        return self._tenant_id

    def bind_transaction(self, connection: Connection) -> None:
        """Bind a new transaction; it must be to the same tenant as every one before."""
        tenant_id = self._binding.bind(connection)
        if tenant_id is None:
            raise NotBoundError("The gate bound no tenant.")
        if self._tenant_id is not None and tenant_id != self._tenant_id:
            raise CrossTenantError("A session cannot change its tenant.")
        if self._tenant_id is None:
            self._tenant_id = tenant_id
            self._filters = tenant_filters(tenant_id)
        set_scope(connection, TenantScope(tenant_id, is_read_only=self._is_read_only))

    def call_gate(self, function: str, arguments: dict[str, Any]) -> GateRow | None:
        """Call one of the gate's functions, each of which looks at the binding itself."""
        return call_gate(self._connection_for_bind(self.get_bind()), function, **arguments)

    def begin_bound(self) -> None:
        """Begin the transaction on its connection now; the event below binds it."""
        self._connection_for_bind(self.get_bind())

    def get(self, entity: Any, ident: Any, **kwargs: Any) -> Any:
        """Get by id within the tenant: `get(Volume, volume_id)`."""
        model = inspect(entity).class_
        if not issubclass(model, TenantOwned):
            return super().get(entity, ident, **kwargs)
        if kwargs.pop("identity_token", None) is not None:
            refuse("identity tokens", "get(Model, id)")
        if isinstance(ident, UUID):
            ident = (self.tenant_id, ident)
        key = tuple(ident.get(name) for name in ("tenant_id", "id")) if isinstance(ident, dict) else tuple(ident)
        if key[0] != self.tenant_id:
            raise CrossTenantError("The key names another tenant. Use get(Model, id).")
        return super().get(entity, key, **kwargs)

    def connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: a connection knows no tenant's filter."""
        refuse("session.connection()", "execute(), scalars() or get()")

    def query(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: the legacy query has paths of its own."""
        refuse("session.query()", "select(Model)")

    def merge(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: merging a foreign key tells whether the row exists."""
        refuse("session.merge()", "get(Model, id), then change the object")

    def merge_all(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused as merge is."""
        refuse("session.merge_all()", "get(Model, id), then change the objects")

    def bulk_save_objects(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: bulk writes pass the guards by."""
        refuse("bulk_save_objects()", "add_all()")

    def bulk_insert_mappings(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: bulk writes pass the guards by."""
        refuse("bulk_insert_mappings()", "add_all()")

    def bulk_update_mappings(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: bulk writes pass the guards by."""
        refuse("bulk_update_mappings()", "update(Model).where(...)")


class TenantSession(AsyncSession):
    """The only session of product code: everything it reads and writes is its one tenant's."""

    sync_session: ScopedSession

    def __init__(self, engine: AsyncEngine, binding: Binding, *, is_read_only: bool) -> None:
        """Made by `Database`; nothing is sent before the first statement."""
        super().__init__(
            engine,
            sync_session_class=ScopedSession,
            expire_on_commit=False,
            binding=binding,
            is_read_only=is_read_only,
        )

    @property
    def tenant_id(self) -> UUID:
        """The tenant that the gate derived; raises NotBoundError before the first transaction."""
        return self.sync_session.tenant_id

    async def bind_tenant(self) -> None:
        """Begin the transaction now, which binds it; raises NotBoundError if the gate binds no tenant."""
        await greenlet_spawn(self.sync_session.begin_bound)

    async def call_gate(self, function: str, **arguments: Any) -> GateRow | None:
        """Call one of the gate's functions in this transaction; return its row, or None."""
        await self.flush()
        return await greenlet_spawn(self.sync_session.call_gate, function, arguments)

    async def connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: a connection knows no tenant's filter."""
        refuse("session.connection()", "execute(), scalars() or get()")

    def get_bind(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: an engine knows no tenant."""
        refuse("session.get_bind()", "execute(), scalars() or get()")


class ReadSession(TenantSession):
    """Reads one tenant's rows. Any write raises."""

    def __init__(self, engine: AsyncEngine, binding: Binding) -> None:
        super().__init__(engine, binding, is_read_only=True)


class WriteSession(TenantSession):
    """Reads and writes one tenant's rows."""

    def __init__(self, engine: AsyncEngine, binding: Binding) -> None:
        super().__init__(engine, binding, is_read_only=False)


def prepared(statement: Select[*Rows]) -> Select[*Rows]:
    """Mark a statement that names the tenant itself, as its parameter `tenant_id`, so that it can be made once.

    It gets no filter, which would make it a new statement each time; whether it is confined is seen when it is sent,
    as it is of any other.
    """
    return statement.execution_options(**{_IS_PREPARED: True})


def refuse(what: str, instead: str) -> NoReturn:
    """Raise UnscopedAccessError, naming the way to do it right."""
    raise UnscopedAccessError(f"{what} cannot be confined to a tenant. Use {instead}.")


@event.listens_for(ScopedSession, "after_begin")
def _bind_on_begin(session: ScopedSession, transaction: SessionTransaction, connection: Connection) -> None:
    if transaction.parent is None or not transaction.nested:
        session.bind_transaction(connection)


@event.listens_for(ScopedSession, "do_orm_execute")
def _confine_statement(state: ORMExecuteState) -> None:
    """Add the tenant's filter; whether it arrived everywhere is seen when the statement is sent."""
    session = state.session
    assert isinstance(session, ScopedSession)  # noqa: S101 (the event is registered for this class only)
    if session._tenant_id is None:
        session.begin_bound()
    if state.execution_options.get(_IS_PREPARED):
        return
    if state.is_select or state.is_update or state.is_delete:
        statement: Any = state.statement
        if session._filters[0] not in statement._with_options:  # a loader of relationships brings it along
            state.statement = statement.options(*session._filters)


@event.listens_for(ScopedSession, "before_attach")
def _refuse_foreign_object(session: ScopedSession, instance: object) -> None:
    _check_owner(session, instance)


@event.listens_for(ScopedSession, "loaded_as_persistent", raw=True)
def _refuse_foreign_row(session: ScopedSession, state: InstanceState[Any]) -> None:
    owner = state.key[1][0] if state.key else None
    if owner is not state.dict.get("tenant_id") or owner != session._tenant_id:  # true of platform-wide rows only
        _check_owner(session, state.obj())


@event.listens_for(ScopedSession, "before_flush")
def _guard_writes(session: ScopedSession, context: object, instances: Sequence[object] | None) -> None:
    changed: list[Iterable[object]] = [session.new, session.dirty, session.deleted]
    if session._is_read_only and any(True for objects in changed for _ in objects):
        refuse("A write in a ReadSession", "a WriteSession")
    if session._tenant_id is None:
        session.begin_bound()
    for instance in session.new:
        if isinstance(instance, TenantOwned) and attributes.instance_dict(instance).get("tenant_id") is None:
            instance.tenant_id = session.tenant_id
        _check_owner(session, instance)
    for instance in [*session.dirty, *session.deleted]:
        _check_owner(session, instance)
        if isinstance(instance, TenantOwned) and attributes.get_history(instance, "tenant_id").has_changes():
            raise CrossTenantError("A row stays with its tenant: tenant_id cannot be changed.")


def _check_owner(session: ScopedSession, instance: object) -> None:
    """Raise CrossTenantError for another tenant's object. Reads no attribute that would have to be loaded."""
    if isinstance(instance, TenantOwned):
        column = "tenant_id"
    elif isinstance(instance, Base) and instance.__own_row__:
        column = "id"
    else:
        return
    state = attributes.instance_state(instance)
    owners = {state.dict.get(column)} | ({state.key[1][0]} if state.key else set())
    owners.discard(None)
    if owners and owners != {session._tenant_id}:
        if session._tenant_id is None and len(owners) == 1 and state.key is None:
            return  # a new object, given to a session that has not begun: checked again when it is flushed
        raise CrossTenantError(f"A {type(instance).__name__} of another tenant in this tenant's session.")
