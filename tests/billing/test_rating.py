"""What uses cost: exact, the same every time, however the time is cut."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforma.billing.metering import MICROSECOND, Period, Use
from platforma.billing.money import in_words, to_minor
from platforma.billing.rating import Book, ItemPrice, Reduction, month_of, rate, tax_of

OCTOBER = month_of(datetime(2026, 10, 5, tzinfo=UTC))
HOUR = timedelta(hours=1)


def use(
    hours: float = 1, *, item: str = "volume", quantity: int = 1, after: timedelta = timedelta(), number: int = 1
) -> Use:
    begins = OCTOBER.begins + after
    ends = begins + timedelta(hours=hours)
    micros = quantity * ((ends - begins) // MICROSECOND)
    return Use("volumes", UUID(int=number), "data", item, begins, ends, micros)


def book(*prices: ItemPrice, begins: datetime = OCTOBER.begins, currency: str = "EUR") -> Book:
    return Book(begins, currency, prices)


def hourly(amount: str, *, item: str = "volume", free: str = "0") -> ItemPrice:
    return ItemPrice(item, "Volume, 1 GiB", "hour", Decimal(amount), Decimal(free))


def amounts(
    uses: list[Use], books: list[Book], reductions: tuple[Reduction, ...] = (), period: Period = OCTOBER
) -> list[int]:
    return [line.amount for line in rate(uses, books, reductions, period).lines]


def test_hours_and_units_are_multiplied() -> None:
    assert amounts([use(10, quantity=20)], [book(hourly("0.015"))]) == [300]


def test_a_whole_month_costs_the_month_however_long_it_is() -> None:
    price = ItemPrice("volume", "Volume", "month", Decimal("7.30"))
    for month in (
        datetime(2026, 2, 3, tzinfo=UTC),
        datetime(2028, 2, 3, tzinfo=UTC),
        datetime(2026, 12, 31, tzinfo=UTC),
    ):
        whole = month_of(month)
        used = Use(
            "volumes",
            UUID(int=1),
            "data",
            "volume",
            whole.begins,
            whole.ends,
            (whole.ends - whole.begins) // MICROSECOND,
        )
        assert [line.amount for line in rate([used], [book(price, begins=whole.begins)], (), whole).lines] == [730]


def test_daylight_saving_changes_nothing() -> None:
    """The night of 25 October 2026 has 25 hours in Berlin; in UTC a day has 24."""
    assert amounts([use(24, after=timedelta(days=24))], [book(hourly("1"))]) == [2400]


def test_a_leap_second_is_no_second() -> None:
    """The last minute of 2016 had 61 seconds; clocks of computers show 60, and the month costs what a month costs."""
    december = month_of(datetime(2016, 12, 31, tzinfo=UTC))
    price = ItemPrice("volume", "Volume", "month", Decimal(31))
    last = december.ends - timedelta(seconds=1)
    whole = Use("volumes", UUID(int=1), "data", "volume", december.begins, december.ends, 31 * 86_400 * 10**6)
    books = [book(price, hourly("3600", item="other"), begins=december.begins)]
    assert amounts([whole], books, period=december) == [3100]
    across = [
        Use("volumes", UUID(int=2), "data", "other", last, december.ends, 10**6),
        Use("volumes", UUID(int=2), "data", "other", december.ends, december.ends + timedelta(seconds=1), 10**6),
    ]
    parts = [amounts(across, books, period=period) for period in (december, month_of(december.ends))]
    assert parts == [[100], [100]]


def test_a_price_change_in_the_middle_of_a_use_makes_two_lines() -> None:
    books = [book(hourly("1")), book(hourly("2"), begins=OCTOBER.begins + 4 * HOUR)]
    assert amounts([use(10)], books) == [400, 1200]


def test_what_is_free_is_free_once_in_a_month() -> None:
    prices = [book(hourly("1", free="5"))]
    whole = amounts([use(4), use(4, after=10 * HOUR, number=2)], prices)
    assert whole == [0, 300]
    later = Period(OCTOBER.begins + 10 * HOUR, OCTOBER.ends)
    assert amounts([use(4), use(4, after=10 * HOUR, number=2)], prices, period=later) == [300]


def test_a_new_price_book_makes_nothing_free_again() -> None:
    books = [book(hourly("1", free="5")), book(hourly("1", free="6"), begins=OCTOBER.begins + 10 * HOUR)]
    assert amounts([use(4), use(4, after=10 * HOUR, number=2)], books) == [0, 200]


def test_the_largest_discount_counts_while_it_lasts() -> None:
    reductions = (
        Reduction(Decimal(10), OCTOBER.begins),
        Reduction(Decimal(50), OCTOBER.begins + 5 * HOUR, OCTOBER.begins + 6 * HOUR),
    )
    found = rate([use(10)], [book(hourly("1"))], reductions, OCTOBER).lines
    assert {line.discount_percent: line.amount for line in found} == {Decimal(10): 810, Decimal(50): 50}


def test_an_items_own_price_goes_before_its_kinds() -> None:
    prices = book(hourly("1", item="server.running"), hourly("3", item="server.running:large"))
    uses = [use(item="server.running:small"), use(item="server.running:large", number=2)]
    assert sorted(amounts(uses, [prices])) == [100, 300]


def test_what_has_no_price_is_told() -> None:
    rated = rate([use(item="moon"), use()], [book(hourly("1"))], (), OCTOBER)
    assert rated.unpriced == ("moon",)
    assert rated.net == 100


def test_a_correction_takes_away_what_was_too_much() -> None:
    correction = Use("volumes", UUID(int=1), "data", "volume", OCTOBER.begins, OCTOBER.begins, -3600 * 10**6)
    assert rate([use(3), correction], [book(hourly("1"))], (), OCTOBER).net == 200


def test_a_period_is_rated_within_a_month() -> None:
    with pytest.raises(ValueError, match="one calendar month"):
        rate([], [], (), Period(OCTOBER.begins, OCTOBER.ends + HOUR))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("0.005", "EUR", 1), ("0.0049", "EUR", 0), ("-0.005", "EUR", -1), ("2.5", "JPY", 3), ("0.0005", "KWD", 1)],
)
def test_halves_are_rounded_away_from_zero(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Fraction(amount), currency) == minor


def test_tax_is_rounded_once() -> None:
    assert tax_of(999, Decimal(19), "EUR") == 190
    assert in_words(123450, "EUR") == "1,234.50 EUR"
    assert in_words(5, "JPY") == "5 JPY"


uses = st.lists(
    st.builds(
        use,
        st.integers(1, 400),
        item=st.sampled_from(["volume", "server.running:small", "server.running:large"]),
        quantity=st.integers(1, 50),
        after=st.integers(0, 300).map(lambda hours: hours * HOUR),
        number=st.integers(1, 5),
    ),
    max_size=8,
)
PRICES = [
    book(hourly("0.013", free="30"), hourly("0.07", item="server.running")),
    book(hourly("0.017"), hourly("0.09", item="server.running"), begins=OCTOBER.begins + 100 * HOUR),
]


@given(uses, st.randoms())
def test_the_same_usage_gives_the_same_lines_in_any_order(found: list[Use], dice: Random) -> None:
    shuffled = found.copy()
    dice.shuffle(shuffled)
    assert rate(found, PRICES, (), OCTOBER) == rate(shuffled, PRICES, (), OCTOBER)


@given(uses, st.integers(1, 700))
def test_a_month_in_two_invoices_costs_the_month(found: list[Use], hours: int) -> None:
    """To a cent for each line, which is where rounding is."""
    middle = OCTOBER.begins + hours * HOUR
    whole = rate(found, PRICES, (), OCTOBER)
    parts = [rate(found, PRICES, (), part) for part in (Period(OCTOBER.begins, middle), Period(middle, OCTOBER.ends))]
    lines = sum(len(part.lines) for part in parts) + len(whole.lines)
    assert abs(sum(part.net for part in parts) - whole.net) <= lines
    assert sum(line.unit_microseconds for part in parts for line in part.lines) == sum(
        line.unit_microseconds for line in whole.lines
    )
    assert sum(line.free_unit_microseconds for part in parts for line in part.lines) == sum(
        line.free_unit_microseconds for line in whole.lines
    )
