"""Lines as the API shows them: those that are reckoned, and those that stand on an invoice."""

from platforma.billing.costs import hours_of
from platforma.billing.invoice_models import InvoiceLine
from platforma.billing.rating import Line
from platforma.billing.schemas import CostLineOut

_COMPUTED = ("unit_hours", "free_unit_hours")


def line_out(line: Line | InvoiceLine) -> CostLineOut:
    """Describe a line."""
    return CostLineOut(
        **{name: getattr(line, name) for name in CostLineOut.model_fields if name not in _COMPUTED},
        unit_hours=hours_of(line.unit_microseconds),
        free_unit_hours=hours_of(line.free_unit_microseconds),
    )
