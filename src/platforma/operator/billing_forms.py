"""The console's forms of billing: a portal's seller, its tax rates and its prices."""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field, ValidationError

from platforma.api.fields import Name
from platforma.billing.money import to_minor
from platforma.kit.problems import Invalid
from platforma.operator.billing_schemas import (
    CreditCreate,
    DiscountCreate,
    Key,
    Percent,
    SellerIn,
    TaxRateCreate,
    Text,
)
from platforma.operator.forms import ActForm
from platforma.operator.schemas import PriceBookCreate
from platforma.portal.forms import FormInput

_Days = Annotated[int, Field(ge=0, le=120)]
_COLUMNS = ("item", "label", "unit", "amount", "free_units")
BLANK_ROWS = 3
Row = dict[str, str]


class SellerForm(FormInput, SellerIn):
    """Who issues a portal's invoices. A browser sends numbers as text."""

    payment_days: _Days = 14
    grace_days: _Days = 14

    def plain(self) -> SellerIn:
        """Return what the API would be sent."""
        return SellerIn(**self.model_dump())


class TaxRateForm(FormInput):
    """The tax on invoices to a country, from now on."""

    country: Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]
    label: Name
    percent: Percent
    business_percent: Percent | None = None
    business_note: Text | None = None

    def plain(self) -> TaxRateCreate:
        """Return what the API would be sent."""
        return TaxRateCreate(**self.model_dump())


class PricesForm(FormInput):
    """A price book as a table: one value of each column for each row. A row without an item is left out."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    item: list[str]
    label: list[str]
    unit: list[str]
    amount: list[str]
    free_units: list[str]

    @property
    def rows(self) -> list[Row]:
        """The rows as they were typed."""
        columns = [getattr(self, name) for name in _COLUMNS]
        if len({len(column) for column in columns}) != 1:
            raise Invalid("Each row has a value in each column.")
        return [dict(zip(_COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]

    def plain(self) -> PriceBookCreate:
        """Return what the API would be sent; raises Invalid with the first row that is wrong."""
        rows = [row for row in self.rows if row["item"].strip()]
        prices = [{name: value.strip() for name, value in row.items() if value.strip()} for row in rows]
        try:
            return PriceBookCreate.model_validate({"currency": self.currency, "prices": prices})
        except ValidationError as error:
            raise Invalid(_described(error, rows)) from error


def _described(error: ValidationError, rows: list[Row]) -> str:
    first = error.errors()[0]
    place = first["loc"]
    words = str(first["msg"]).removeprefix("Value error, ")
    if len(place) == 3 and isinstance(place[1], int):
        return f"{rows[place[1]]['item']}, {place[2]}: {words}"
    return words if rows else "There has to be a price."


def typed_rows(typed: dict[str, list[str]]) -> list[Row]:
    """Return the rows of a form that was refused, as far as they are whole."""
    return [dict(zip(_COLUMNS, values, strict=True)) for values in zip(*typed.values(), strict=False)]


def columns() -> tuple[str, ...]:
    """Return the names of a row's fields, in order."""
    return _COLUMNS


def plain_number(value: Decimal) -> str:
    """Return a number without an exponent and without zeros that say nothing."""
    return f"{value.normalize():f}"


class CreditForm(ActForm):
    """Credit in the currency's major unit. Its key is the page's, so that a form that is sent twice counts once."""

    key: Key
    amount: Annotated[Decimal, Field(gt=0, le=10**10, max_digits=13, decimal_places=3)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def plain(self) -> CreditCreate:
        """Return what the API would be sent."""
        return CreditCreate(
            key=self.key,
            amount=to_minor(Fraction(self.amount), self.currency),
            currency=self.currency,
            reason=self.reason,
        )


class DiscountForm(ActForm):
    """A discount from now on."""

    percent: Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2)]

    def plain(self) -> DiscountCreate:
        """Return what the API would be sent."""
        return DiscountCreate(percent=self.percent, reason=self.reason)
