"""Layer 2 as the code has it: that a tenant's session adds its filter by itself, and sends nothing else.

Row-level security answers the same with or without the filter, so that no answer over HTTP tells whether it is there.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import event, select, text

from platforma.database.database import Database
from platforma.database.errors import CrossTenantError, UnscopedAccessError
from platforma.database.gate_calls import OperatorBinding
from platforma.kit.probes import Layer, Observation, Outcome
from platforma.tenants.models import Member
from platforma.tenants.service import OperatorAct
from platforma.verification.findings import Finding

_TITLE = "A session of one tenant, as the installed code makes it"
_EXPECTED = "Every statement names the session's tenant; what does not is refused before it is sent"


async def verify_confinement(database: Database, act: OperatorAct, a: UUID, b: UUID) -> list[Finding]:
    """Look at what a session of A sends. `b` is another tenant."""
    sent: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    binding = OperatorBinding(a, act.actor, "verification.look", act.reason)
    seen = []
    async with database.read(binding) as session:
        event.listen(engine, "before_cursor_execute", note)
        try:
            own = list(await session.scalars(select(Member.id)))
        finally:
            event.remove(engine, "before_cursor_execute", note)
        filtered = any("tenant_id = " in words and a in _values(parameters) for words, parameters in sent)
        if not own:
            seen.append(Observation("a select", Outcome.NOT_PROVEN, "A has no members: the control failed."))
        else:
            outcome = Outcome.HELD if filtered else Outcome.BYPASSED
            seen.append(Observation("a select", outcome, " ".join(sent[-1][0].split())[:300]))
    for name, statement, error in (
        ("raw SQL", text("SELECT id FROM members"), UnscopedAccessError),
        ("a select without its model", select(Member.__table__.c.id), UnscopedAccessError),
        ("a select of B's", select(Member.id).where(Member.tenant_id == b), CrossTenantError),
    ):
        async with database.read(binding) as session:
            try:
                rows = (await session.execute(statement)).all()
            except (UnscopedAccessError, CrossTenantError) as refusal:
                right = isinstance(refusal, error)
                seen.append(Observation(name, Outcome.HELD if right else Outcome.NOT_PROVEN, str(refusal)[:200]))
            else:
                seen.append(Observation(name, Outcome.BYPASSED, f"It was sent, and {len(rows)} rows came."))
    return [Finding("confinement", Layer.DATABASE, ("D01", "D02"), each, _TITLE, _EXPECTED) for each in seen]


def _values(parameters: Any) -> list[Any]:
    return list(parameters.values()) if isinstance(parameters, dict) else list(parameters)
