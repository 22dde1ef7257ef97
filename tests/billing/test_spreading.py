"""Costs by day and by resource: other views of the same lines."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given

from platforma.billing.costs import Costs, spread
from platforma.billing.metering import Use
from platforma.billing.rating import Book, ItemPrice, rate
from tests.billing.test_invoicing import OCTOBER, _use, prices, uses


@given(uses, prices)
def test_days_and_resources_sum_up_to_the_lines(used: list[Use], price: ItemPrice) -> None:
    rated = rate(used, [Book(OCTOBER.begins, "EUR", (price,))], [], OCTOBER)
    days = list(spread(used, rated, OCTOBER.begins, OCTOBER.ends))
    assert len(days) == 31
    assert sum(day.amount for day in days) == rated.net
    costs = Costs(OCTOBER, OCTOBER.ends, "EUR", rated, rated.net, tuple(days))
    assert sum(cost.amount for cost in costs.by_resource) == rated.net
    assert len(costs.by_resource) == len({line.resource_id for line in rated.lines})


def test_a_day_has_what_was_used_on_it() -> None:
    used = [_use(1, 86400, 86400, 10, UTC), _use(2, 86400 * 3, 86400, 5, UTC)]
    books = [Book(OCTOBER.begins, "EUR", (ItemPrice("volume", "Volume", "hour", Decimal("0.1")),))]
    rated = rate(used, books, [], OCTOBER)
    days = list(spread(used, rated, OCTOBER.begins, OCTOBER.begins + timedelta(days=5)))
    assert [day.amount for day in days] == [0, 2400, 0, 1200, 0]
    assert days[1].begins == datetime(2026, 10, 2, tzinfo=UTC)
    assert [cost.amount for cost in Costs(OCTOBER, OCTOBER.ends, "EUR", rated, 0).by_resource] == [2400, 1200]
