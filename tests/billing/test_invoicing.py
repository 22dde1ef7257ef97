"""Invoices as sums: lines, tax, credit and periods, whatever was used and whenever somebody asked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforma.billing.invoice_models import Invoice
from platforma.billing.invoicing import SETTLING, Draft, credit_of, next_period
from platforma.billing.metering import MICROSECOND, Period, Use
from platforma.billing.rating import Book, ItemPrice, Reduction, month_of, rate, tax_of
from platforma.billing.terms import Rate, Tax, normal_vat_number, tax_for

OCTOBER = month_of(datetime(2026, 10, 5, tzinfo=UTC))
BERLIN = ZoneInfo("Europe/Berlin")
SECONDS = 31 * 86400

uses = st.lists(
    st.builds(
        lambda number, begins, length, quantity, zone: _use(number, begins, length, quantity, zone),
        st.integers(1, 5),
        st.integers(0, SECONDS - 2),
        st.integers(1, SECONDS),
        st.integers(1, 500),
        st.sampled_from([UTC, BERLIN]),
    ),
    max_size=12,
)
prices = st.builds(
    lambda unit, amount, free: ItemPrice("volume", "Volume", unit, amount, free),
    st.sampled_from(["hour", "month"]),
    st.decimals("0", "9", places=5),
    st.decimals("0", "50", places=2),
)


def _use(number: int, begins: int, length: int, quantity: int, zone: object) -> Use:
    first = OCTOBER.begins + timedelta(seconds=begins)
    last = min(OCTOBER.ends, first + timedelta(seconds=length))
    micros = quantity * ((last - first) // MICROSECOND)
    in_zone = zone if isinstance(zone, ZoneInfo) else UTC
    return Use(
        "volumes", UUID(int=number), "data", "volume", first.astimezone(in_zone), last.astimezone(in_zone), micros
    )


@given(uses, prices, prices, st.integers(1, SECONDS - 1), st.decimals("0", "30", places=2), st.randoms())
def test_an_invoice_is_the_sum_of_its_lines_and_always_the_same(
    used: list[Use], first: ItemPrice, second: ItemPrice, change: int, percent: Decimal, random: Random
) -> None:
    """Also with a price change in the middle, in whatever order and time zone the usage comes."""
    books = [
        Book(OCTOBER.begins, "EUR", (first,)),
        Book(OCTOBER.begins + timedelta(seconds=change), "EUR", (second,)),
    ]
    draft = Draft(OCTOBER, "EUR", rate(used, books, [], OCTOBER).lines, Tax("VAT", percent))
    assert draft.net == sum(line.amount for line in draft.lines)
    assert draft.total == draft.net + draft.tax_amount
    exact = Decimal(draft.net) * percent / 100
    assert abs(Decimal(draft.tax_amount) - exact) <= Decimal("0.5")
    again = list(used)
    random.shuffle(again)
    assert Draft(OCTOBER, "EUR", rate(again, books, [], OCTOBER).lines, draft.tax) == draft
    assert sum(line.unit_microseconds for line in draft.lines) == sum(use.unit_microseconds for use in used)


@given(uses, prices, st.lists(st.integers(1, SECONDS - 1), max_size=4))
def test_asking_in_between_bills_every_second_once(used: list[Use], price: ItemPrice, cuts: list[int]) -> None:
    """However often a month is invoiced in parts: the seconds, and what of them was free, are those of the whole."""
    books = [Book(OCTOBER.begins, "EUR", (price,))]
    moments = sorted({OCTOBER.begins, OCTOBER.ends, *(OCTOBER.begins + timedelta(seconds=cut) for cut in cuts)})
    lines = [
        line
        for begins, ends in pairwise(moments)
        for line in rate(_until(used, ends), books, [], Period(begins, ends)).lines
    ]
    whole = rate(used, books, [], OCTOBER).lines
    for name in ("unit_microseconds", "free_unit_microseconds"):
        assert sum(getattr(line, name) for line in lines) == sum(getattr(line, name) for line in whole)
    assert abs(sum(line.amount for line in lines) - sum(line.amount for line in whole)) <= len(lines) + len(whole)


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    """Berlin's clocks go back on 25 October 2026: what a database in that zone tells differs by less than it took."""
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(berlin)
    last = datetime(2026, 10, 25, 1, 30, tzinfo=UTC).astimezone(berlin)
    assert (first.hour, last.hour) == (2, 2)
    use = Use("volumes", UUID(int=1), "data", "volume", first, last, 3600 * 10**6)
    assert use.ends - use.begins == timedelta(hours=1)
    inside = OCTOBER.overlap(first, last)
    assert inside is not None
    assert inside[1] - inside[0] == timedelta(hours=1)


def _until(used: list[Use], ends: datetime) -> list[Use]:
    """What was to be seen of usage at a moment."""
    seen = []
    for use in used:
        last = min(use.ends, ends)
        if use.begins < last:
            quantity = use.unit_microseconds // ((use.ends - use.begins) // MICROSECOND)
            micros = quantity * ((last - use.begins) // MICROSECOND)
            seen.append(Use(use.resource_kind, use.resource_id, "data", use.item, use.begins, last, micros))
    return seen


@given(st.integers(0, 47), st.lists(st.integers(0, 3 * 10**6), max_size=30))
def test_periods_follow_each_other_without_gap_or_overlap(months: int, steps: list[int]) -> None:
    """Asked for at any moments, over years: leap days and the ends of summer time are moments like any others."""
    billed = start = datetime(2026 + months // 12, months % 12 + 1, 1, tzinfo=UTC)
    now, covered = start, timedelta()
    for step in steps:
        now += timedelta(seconds=step)
        limit = now - SETTLING
        while (period := next_period(billed, limit, is_requested=step % 2 == 0)) is not None:
            assert period.begins == billed < period.ends <= limit
            assert month_of(period.begins).ends >= period.ends
            covered += period.ends - period.begins
            billed = period.ends
        assert next_period(billed, limit, is_requested=False) is None
    assert covered == billed - start


@given(st.integers(1, 10**9), st.decimals("0", "27", places=2), st.lists(st.integers(1, 10**9), max_size=6))
def test_credit_notes_give_back_the_invoice_and_no_more(net: int, percent: Decimal, parts: list[int]) -> None:
    tax = Draft(OCTOBER, "EUR", (), Tax("VAT", percent))
    invoice = Invoice(net=net, tax=_tax(net, percent), tax_percent=percent, currency=tax.currency)
    given_back: list[Invoice] = []
    for part in parts:
        left = net - sum(note.net for note in given_back)
        if 0 < part < left:
            amount, credited = credit_of(invoice, part, given_back)
            given_back.append(Invoice(net=amount, tax=credited))
    rest, rest_of_tax = credit_of(invoice, None, given_back)
    assert rest >= 1
    assert rest_of_tax >= 0
    assert sum(note.net for note in given_back) + rest == net
    assert sum(note.tax for note in given_back) + rest_of_tax == invoice.tax


def _tax(net: int, percent: Decimal) -> int:
    return tax_of(net, percent, "EUR")


def test_a_discount_is_on_the_line_and_taxed_after() -> None:
    used = [_use(1, 0, 3600 * 10, 10, UTC)]
    books = [Book(OCTOBER.begins, "EUR", (ItemPrice("volume", "Volume", "hour", Decimal("0.1")),))]
    rated = rate(used, books, [Reduction(Decimal(10), OCTOBER.begins)], OCTOBER)
    draft = Draft(OCTOBER, "EUR", rated.lines, Tax("VAT", Decimal(19)))
    assert (draft.net, draft.tax_amount, draft.total) == (900, 171, 1071)


RATES = (
    Rate(
        country="DE",
        effective_from=OCTOBER.begins,
        label="USt",
        percent=Decimal(19),
        business_percent=None,
        business_note=None,
    ),
    Rate(
        country="FR",
        effective_from=OCTOBER.begins,
        label="TVA",
        percent=Decimal(20),
        business_percent=Decimal(0),
        business_note="Reverse charge",
    ),
    Rate(
        country="DE",
        effective_from=OCTOBER.ends,
        label="USt",
        percent=Decimal(16),
        business_percent=None,
        business_note=None,
    ),
    Rate(
        country="*",
        effective_from=OCTOBER.begins,
        label="None",
        percent=Decimal(0),
        business_percent=None,
        business_note=None,
    ),
)


@pytest.mark.parametrize(
    ("country", "has_number", "moment", "expected"),
    [
        (None, False, OCTOBER.ends - MICROSECOND, ("USt", 19)),
        ("DE", True, OCTOBER.ends - MICROSECOND, ("USt", 19)),
        ("DE", False, OCTOBER.ends, ("USt", 16)),
        ("FR", False, OCTOBER.ends, ("TVA", 20)),
        ("FR", True, OCTOBER.ends, ("TVA", 0)),
        ("US", True, OCTOBER.ends, ("None", 0)),
        ("FR", True, OCTOBER.begins - MICROSECOND, ("Tax", 0)),
    ],
)
def test_the_tax_is_of_the_buyers_country(
    country: str | None, has_number: bool, moment: datetime, expected: tuple[str, int]
) -> None:
    tax = tax_for(RATES, seller_country="DE", buyer_country=country, has_vat_number=has_number, moment=moment)
    assert (tax.label, int(tax.percent)) == expected


@pytest.mark.parametrize(
    ("number", "country", "is_good"),
    [
        ("DE 136 695 976", "DE", True),
        ("DE136695977", "DE", False),
        ("DE136695976", "FR", False),
        ("EL094259216", "GR", True),
        ("CHE-107.787.577", "CH", True),
        ("x", "CH", False),
    ],
)
def test_vat_numbers_are_tried(number: str, country: str, is_good: bool) -> None:
    if is_good:
        assert normal_vat_number(number, country).isalnum()
    else:
        with pytest.raises(ValueError):
            normal_vat_number(number, country)
