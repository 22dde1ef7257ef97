"""What the API says about usage, prices and costs."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from platforma.api.fields import Output
from platforma.billing.rating import Book

Month = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]


class MonthQuery(BaseModel):
    """A calendar month in UTC."""

    model_config = ConfigDict(extra="forbid")

    month: Month | None = Field(default=None, description="As in `2026-10`. If not given, the present month.")

    def moment(self, now: datetime) -> datetime:
        """Return the month's beginning, or now."""
        return datetime.strptime(self.month, "%Y-%m").replace(tzinfo=UTC) if self.month else now


class PriceOut(Output):
    """The price of one unit of an item."""

    item: str = Field(description="One item, or what stands before the colon of all of its kind.")
    label: str
    unit: str = Field(description="`hour` or `month`: a calendar month, of which each second costs alike.")
    amount: Decimal = Field(description="In the currency's major unit.")
    free_units: Decimal = Field(description="How many unit hours or unit months of a month cost nothing.")


class PriceBookOut(Output):
    """Prices from a moment on, until the next book's."""

    effective_from: datetime
    currency: str
    prices: list[PriceOut]

    @classmethod
    def of(cls, book: Book) -> "PriceBookOut":
        """Describe a price book."""
        prices = [PriceOut.model_validate(price) for price in book.prices]
        return cls(effective_from=book.begins, currency=book.currency, prices=prices)


class CostLineOut(Output):
    """What one resource used of one item at one price, and what that costs."""

    resource_kind: str
    resource_id: UUID
    resource_name: str
    item: str
    label: str
    unit: str
    price: Decimal
    discount_percent: Decimal
    begins: datetime
    ends: datetime
    unit_hours: Decimal = Field(description="Units times hours, to six decimals.")
    free_unit_hours: Decimal
    amount: int = Field(description="In the currency's smallest unit, after the discount, without tax.")


class CostsOut(Output):
    """The costs of a month so far."""

    begins: datetime
    ends: datetime
    until: datetime
    currency: str | None = Field(description="Null while your provider has set no prices.")
    net: int = Field(description="The sum of the lines, in the currency's smallest unit, without tax.")
    forecast: int = Field(description="What the whole month will cost if all that runs now runs on.")
    lines: list[CostLineOut]
    unpriced: list[str] = Field(description="Items in use that have no price, and cost nothing.")
