"""What the API says about cards and payments. Card numbers are typed into Stripe's own fields, and never come here."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from platforma.api.fields import Output
from platforma.billing.payment_models import PaymentStatus, SetupStatus


class PaymentMethodOut(Output):
    """A card that Stripe keeps."""

    id: UUID
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    is_default: bool
    removal_requested_at: datetime | None
    created_at: datetime


class PaymentSetupOut(Output):
    """The adding of a card: when it is `ready`, confirm it with Stripe.js and the client secret, then finish it."""

    id: UUID
    status: SetupStatus
    client_secret: str | None
    failure: str | None
    created_at: datetime
    publishable_key: str | None = Field(default=None, description="What Stripe.js is opened with.")
    script_url: str | None = Field(default=None, description="Where Stripe.js is.")


class PaymentOut(Output):
    """An attempt to collect an invoice."""

    id: UUID
    invoice_id: UUID
    attempt: int
    status: PaymentStatus
    amount: int | None = Field(description="In the currency's smallest unit; null until it is carried out.")
    currency: str | None
    failure: str | None
    requested_by: str
    created_at: datetime
    settled_at: datetime | None
