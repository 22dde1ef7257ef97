"""What the sweeps have found in all tenants' projects, and what operators choose to have done about it."""

from sqlalchemy import select

from platforma.kit.problems import Invalid
from platforma.operator.routes import Acting
from platforma.sweep.kinds import MEANINGS, DriftKind, Mode
from platforma.sweep.models import SweepChoice
from platforma.sweep.schemas import ChoiceOut, FindingOut, SweepsOut
from platforma.tenants.models import OperatorAudit

_MOST = 500
_REASON = "The sweep."


async def list_findings(acting: Acting, *, is_open: bool = True) -> list[FindingOut]:
    """Return the findings that last, or those that have ended, the newest first."""
    row = await acting.database.call_gate("sweep_findings", is_open=is_open, most=_MOST)
    found = row.findings if row else []
    return [FindingOut(**item, title=MEANINGS[DriftKind(item["kind"])].title) for item in found]


async def get_state(acting: Acting) -> SweepsOut:
    """Say how the sweeps go."""
    row = await acting.database.call_gate("sweep_state")
    return SweepsOut(**(row.state if row else {}))


async def request_sweeps(acting: Acting, reason: str = _REASON) -> int:
    """Have every project looked at now; return how many were not due yet."""
    async with acting.database.platform() as session:
        session.add(OperatorAudit(actor=acting.operator.email, action="sweep.run", reason=acting.reason or reason))
    row = await acting.database.call_gate("request_sweeps")
    return int(row[0]) if row else 0


async def list_choices(acting: Acting) -> list[ChoiceOut]:
    """Return what is done about each kind of finding."""
    async with acting.database.platform() as session:
        chosen = {row.kind: Mode(row.mode) for row in await session.scalars(select(SweepChoice))}
    return [
        ChoiceOut(
            kind=kind,
            title=meaning.title,
            mode=chosen.get(kind, meaning.default),
            is_default=kind not in chosen,
            is_mendable=meaning.is_mendable,
        )
        for kind, meaning in MEANINGS.items()
    ]


async def choose(acting: Acting, kind: DriftKind, mode: Mode) -> list[ChoiceOut]:
    """Have a kind of finding mended, or only reported, from the next sweep on."""
    if mode is Mode.MEND and not MEANINGS[kind].is_mendable:
        raise Invalid("The sweep cannot mend that. Make up for it by a correction of usage.")
    async with acting.database.platform() as session:
        row = await session.get(SweepChoice, kind.value, with_for_update=True)
        if row is None:
            row = SweepChoice(kind=kind.value, mode=mode, chosen_by=acting.operator.email)
            session.add(row)
        row.mode = mode
        row.chosen_by = acting.operator.email
        details = {"kind": kind.value, "mode": mode.value}
        session.add(
            OperatorAudit(
                actor=acting.operator.email, action="sweep.choose", reason=acting.reason or _REASON, details=details
            )
        )
    return await list_choices(acting)
