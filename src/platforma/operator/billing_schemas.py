"""What the operator's API says and hears about billing."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, StringConstraints, field_validator

from platforma.api.fields import Input, Integer, Name, Output
from platforma.authentication.schemas import Email
from platforma.billing.schemas import Address, InvoiceQuery
from platforma.operator.schemas import Act, Item, Reason

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
_RATE: dict[str, JsonValue] = {"country": "DE", "label": "VAT", "percent": "19"}


class SellerIn(Address):
    """Who issues a portal's invoices, and on which terms."""

    email: Annotated[Email, Field(examples=["billing@example.org"])]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,12}$")] = Field(
        description="What the numbers of invoices begin with.", examples=["ACME"]
    )
    payment_days: Integer = Field(default=14, ge=0, le=120)
    grace_days: Integer = Field(
        default=14, ge=0, le=120, description="How long an overdue invoice shuts nobody out of changing things."
    )
    footer: Text = Field(default="", description="Stands below every invoice: register, bank account.")


class SellerOut(Output):
    """Who issues a portal's invoices."""

    company: str
    line1: str
    line2: str
    postal_code: str
    city: str
    country: str
    vat_number: str | None
    email: str
    prefix: str
    payment_days: int
    grace_days: int
    footer: str
    updated_at: datetime


class TaxRateCreate(Input):
    """The tax on invoices to a country, from now or a later moment on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RATE]})

    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")] = Field(
        description="As in ISO 3166-1, or `*` for any that has no rate of its own."
    )
    effective_from: AwareDatetime | None = Field(default=None, description="If not given, now.")
    label: Name
    percent: Percent
    business_percent: Percent | None = Field(
        default=None, description="For companies with a VAT number in another country than the seller's."
    )
    business_note: Text | None = Field(default=None, description="What is said then, such as `Reverse charge`.")


class TaxRateOut(Output):
    """A tax rate."""

    id: UUID
    country: str
    effective_from: datetime
    label: str
    percent: Decimal
    business_percent: Decimal | None
    business_note: str | None
    created_at: datetime


class TenantInvoicesQuery(InvoiceQuery):
    """Whose invoices are looked at is written down, with the reason."""

    reason: Reason


class CreditNoteCreate(Act):
    """What is taken back of an invoice."""

    net: Integer | None = Field(
        default=None, ge=1, description="Without tax, in the currency's smallest unit; all that is left if not given."
    )


class MonthRevenue(Output):
    """What was invoiced in a month, less what was credited; all in the currency's smallest unit."""

    month: str
    currency: str
    invoices: int
    net: int
    tax: int
    paid: int
    owed: int


class FailedPayment(Output):
    """An open invoice that could not be collected."""

    tenant_id: UUID
    tenant_name: str
    number: str
    amount: int | None
    currency: str | None
    failure: str | None
    at: datetime


class RevenueOut(Output):
    """What a portal has earned by month of issue, and the last hundred payments that have failed and are still owed."""

    months: list[MonthRevenue]
    failures: list[FailedPayment]


Key = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$"),
    Field(description="Your own; under one key it is done once.", examples=["ticket-4711"]),
]


class CreditCreate(Act):
    """Credit for a tenant: it pays the next invoices."""

    key: Key
    amount: Integer = Field(ge=1, le=10**12, description="In the currency's smallest unit.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(examples=["EUR"])


class CreditOut(Output):
    """A grant of credit, or, if negative, its use for an invoice."""

    id: UUID
    key: str
    amount: int
    currency: str
    invoice_id: UUID | None
    reason: str
    made_by: str
    created_at: datetime


class DiscountCreate(Act):
    """A discount on everything that a tenant uses. Of several at one moment the largest counts."""

    percent: Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2, examples=["10"])]
    begins: AwareDatetime | None = Field(default=None, description="If not given, now.")
    ends: AwareDatetime | None = Field(default=None, description="If not given, when it is ended.")


class DiscountEnd(Act):
    """The end of a discount."""

    ends: AwareDatetime | None = Field(default=None, description="If not given, now.")


class DiscountOut(Output):
    """A discount of a tenant."""

    id: UUID
    percent: Decimal
    begins: datetime
    ends: datetime | None
    reason: str
    made_by: str
    created_at: datetime


class UsageCorrectionCreate(Act):
    """Usage that is added to a resource's, or taken from it, as of now."""

    key: Key
    resource_kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = Field(examples=["volumes"])
    resource_id: UUID
    resource_name: Name = Field(examples=["data"])
    item: Item = Field(examples=["volume"])
    unit_seconds: Integer = Field(
        ge=-(10**15), le=10**15, description="Units times seconds; negative to take away.", examples=[-36000]
    )

    @field_validator("unit_seconds")
    @classmethod
    def _not_nothing(cls, units: int) -> int:
        if units == 0:
            raise ValueError("Zero corrects nothing.")
        return units


class UsageCorrectionOut(Output):
    """A correction."""

    id: UUID
    key: str
    resource_kind: str
    resource_id: UUID
    resource_name: str
    item: str
    unit_seconds: int
    at: datetime
    reason: str
    made_by: str
