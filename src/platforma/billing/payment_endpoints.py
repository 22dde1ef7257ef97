"""`/api/v1/payment-methods`, and the payments of invoices."""

from uuid import UUID

from fastapi import APIRouter, Request

from platforma.api.lists import Page
from platforma.api.routes import TenantRoute
from platforma.billing import payments as service
from platforma.billing.endpoints import Reads, Writes
from platforma.billing.payment_models import PaymentSetup
from platforma.billing.payment_schemas import PaymentMethodOut, PaymentOut, PaymentSetupOut
from platforma.settings import Settings

payment_methods = APIRouter(prefix="/payment-methods", tags=["Payments"], route_class=TenantRoute)
payments = APIRouter(prefix="/invoices/{invoice_id}/payments", tags=["Payments"], route_class=TenantRoute)


@payment_methods.get("")
async def list_payment_methods(reading: Reads) -> Page[PaymentMethodOut]:
    """The cards, the one that invoices are collected from first."""
    rows = await service.list_methods(reading.session)
    return Page(items=[PaymentMethodOut.model_validate(row) for row in rows])


@payment_methods.post("", status_code=202)
async def add_payment_method(request: Request, writing: Writes) -> PaymentSetupOut:
    """Begin to add a card. Look at it until it is `ready`."""
    return _setup_out(request, await service.request_setup(writing.session, writing.principal))


@payment_methods.get("/setups/{setup_id}")
async def get_payment_setup(setup_id: UUID, request: Request, writing: Writes) -> PaymentSetupOut:
    """The adding of a card."""
    return _setup_out(request, await service.get_setup(writing.session, setup_id))


@payment_methods.post("/setups/{setup_id}/finish", status_code=202)
async def finish_payment_setup(setup_id: UUID, request: Request, writing: Writes) -> PaymentSetupOut:
    """Have it seen what became of it at Stripe."""
    return _setup_out(request, await service.finish_setup(writing.session, writing.principal, setup_id))


@payment_methods.post("/{payment_method_id}/default")
async def make_default_payment_method(payment_method_id: UUID, writing: Writes) -> PaymentMethodOut:
    """Have invoices collected from this card."""
    method = await service.make_default(writing.session, writing.principal, payment_method_id)
    return PaymentMethodOut.model_validate(method)


@payment_methods.delete("/{payment_method_id}", status_code=202)
async def remove_payment_method(payment_method_id: UUID, writing: Writes) -> PaymentMethodOut:
    """Have Stripe forget a card."""
    method = await service.remove_method(writing.session, writing.principal, payment_method_id)
    return PaymentMethodOut.model_validate(method)


@payments.get("")
async def list_payments(invoice_id: UUID, reading: Reads) -> Page[PaymentOut]:
    """The attempts to collect an invoice, the newest first."""
    rows = await service.list_payments(reading.session, invoice_id)
    return Page(items=[PaymentOut.model_validate(row) for row in rows])


@payments.post("", status_code=202)
async def pay_invoice(invoice_id: UUID, writing: Writes) -> PaymentOut:
    """Have an invoice collected now, from the default card."""
    return PaymentOut.model_validate(await service.request_payment(writing.session, writing.principal, invoice_id))


def _setup_out(request: Request, setup: PaymentSetup) -> PaymentSetupOut:
    settings: Settings = request.app.state.settings
    shown = PaymentSetupOut.model_validate(setup)
    stripe = settings.stripe
    return shown.model_copy(update={"publishable_key": stripe.publishable_key, "script_url": stripe.script_url})
