"""Pages of cards and payments. Card numbers are typed into fields of Stripe's own, in its own frames."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response

from platforma.api.edge import CONTENT_SECURITY_POLICY
from platforma.api.routes import Reading, Writing
from platforma.billing import payments as service
from platforma.billing.endpoints import Reads, Writes
from platforma.billing.invoicing import get_account
from platforma.billing.money import in_words
from platforma.billing.payment_models import PaymentStatus, SetupStatus
from platforma.billing.service import get_invoice
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on
from platforma.settings import StripeCloudSettings

payment_methods = APIRouter(prefix="/payment-methods", tags=["Payments"], route_class=PageRoute)
payments = APIRouter(prefix="/invoices/{invoice_id}", tags=["Payments"], route_class=PageRoute)
authentications = APIRouter(prefix="/payments", tags=["Payments"], route_class=PageRoute)

REFRESH_SECONDS = "2"
_STRIPE_HOSTS = "https://js.stripe.com https://hooks.stripe.com https://api.stripe.com"


@payment_methods.get("")
async def show_payment_methods(request: Request, reading: Reads) -> Response:
    """The cards."""
    return render(
        request,
        "billing/payment_methods.html",
        reading,
        rows=await service.list_methods(reading.session),
        account=await get_account(reading.session),
        is_open=_stripe(request).publishable_key is not None,
    )


@payment_methods.post("")
@shown_on("/payment-methods")
async def add_payment_method(writing: Writes) -> Response:
    """Begin to add a card."""
    setup = await service.request_setup(writing.session, writing.principal)
    return see_other(f"/payment-methods/setups/{setup.id}")


@payment_methods.get("/setups/{setup_id}")
async def show_payment_setup(setup_id: UUID, request: Request, writing: Writes) -> Response:
    """The form for a card; until it is ready the browser looks again."""
    setup = await service.get_setup(writing.session, setup_id)
    return _with_stripe(
        request,
        writing,
        "billing/card.html",
        is_waiting=setup.status == SetupStatus.WANTED,
        is_ready=setup.status == SetupStatus.READY,
        kind="setup",
        secret=setup.client_secret,
        failure=setup.failure,
        finish=f"/payment-methods/setups/{setup_id}/finish",
        back="/payment-methods",
        title="New card",
    )


@payment_methods.post("/setups/{setup_id}/finish")
@shown_on("/payment-methods/setups/{setup_id}")
async def finish_payment_setup(setup_id: UUID, writing: Writes) -> Response:
    """Have it seen what became of it at Stripe."""
    await service.finish_setup(writing.session, writing.principal, setup_id)
    return see_other("/payment-methods", notice="card-requested")


@payment_methods.post("/{payment_method_id}/default")
@shown_on("/payment-methods")
async def make_default_payment_method(payment_method_id: UUID, writing: Writes) -> Response:
    """Have invoices collected from this card."""
    await service.make_default(writing.session, writing.principal, payment_method_id)
    return see_other("/payment-methods", notice="card-default")


@payment_methods.post("/{payment_method_id}/remove")
@shown_on("/payment-methods")
async def remove_payment_method(payment_method_id: UUID, writing: Writes) -> Response:
    """Have Stripe forget a card."""
    await service.remove_method(writing.session, writing.principal, payment_method_id)
    return see_other("/payment-methods", notice="card-removed")


@payments.post("/pay")
@shown_on("/invoices/{invoice_id}")
async def pay_invoice(invoice_id: UUID, writing: Writes) -> Response:
    """Have an invoice collected now."""
    await service.request_payment(writing.session, writing.principal, invoice_id)
    return see_other(f"/invoices/{invoice_id}", notice="payment-requested")


@authentications.get("/{payment_id}")
async def show_payment(payment_id: UUID, request: Request, writing: Writes) -> Response:
    """A payment that the bank asks the member about."""
    payment = await service.get_payment(writing.session, payment_id)
    invoice = await get_invoice(writing.session, payment.invoice_id)
    return _with_stripe(
        request,
        writing,
        "billing/card.html",
        is_waiting=payment.status in (PaymentStatus.WANTED, PaymentStatus.CHARGING),
        is_ready=payment.status == PaymentStatus.REQUIRES_ACTION,
        kind="payment",
        secret=payment.client_secret,
        failure=payment.failure,
        finish=f"/payments/{payment_id}/finish",
        back=f"/invoices/{invoice.id}",
        title=f"Pay {in_words(payment.amount or invoice.owed, invoice.currency)} of {invoice.number}",
    )


@authentications.post("/{payment_id}/finish")
@shown_on("/payments/{payment_id}")
async def finish_payment(payment_id: UUID, writing: Writes) -> Response:
    """Have it seen what became of a payment at Stripe."""
    payment = await service.finish_payment(writing.session, writing.principal, payment_id)
    return see_other(f"/invoices/{payment.invoice_id}", notice="payment-requested")


def _with_stripe(
    request: Request, context: Reading | Writing, template: str, *, is_waiting: bool, is_ready: bool, **values: Any
) -> Response:
    """Return a page that loads Stripe's script, and lets it speak to Stripe: no other page does."""
    settings = _stripe(request)
    is_open = is_ready and settings.publishable_key is not None
    response = render(
        request,
        template,
        context,
        is_waiting=is_waiting,
        is_open=is_open,
        stripe_key=settings.publishable_key,
        script=settings.script_url,
        **values,
    )
    if is_waiting:
        response.headers["refresh"] = REFRESH_SECONDS
    elif is_open:
        response.headers["content-security-policy"] = _policy(settings.script_url)
    return response


def _policy(script_url: str) -> str:
    """Return the usual policy, with Stripe's script, frames and API (https://docs.stripe.com/security/guide)."""
    parts = urlsplit(script_url)
    hosts = f"{parts.scheme}://{parts.netloc} {_STRIPE_HOSTS}"
    policy = CONTENT_SECURITY_POLICY.decode()
    policy = policy.replace("script-src 'self'", f"script-src 'self' {hosts}")
    return policy.replace("connect-src 'self'", f"connect-src 'self' {hosts}") + f"; frame-src {hosts}"


def _stripe(request: Request) -> StripeCloudSettings:
    settings: StripeCloudSettings = request.app.state.settings.stripe
    return settings
