"""Stripe: the Protocol that billing builds on, and the real client. Nothing else imports its SDK.

The SDK is loaded with `open_stripe`, when somebody asks for it: a portal process never does.
"""

from platforma.clouds.stripe.protocol import (
    CardMethod,
    PaymentIntent,
    PaymentProvider,
    ProviderRefund,
    SetupIntent,
    StripeSettings,
)

__all__ = [
    "CardMethod",
    "PaymentIntent",
    "PaymentProvider",
    "ProviderRefund",
    "SetupIntent",
    "StripeSettings",
    "open_stripe",
]


def open_stripe(settings: StripeSettings) -> PaymentProvider:
    """Return the real client."""
    from platforma.clouds.stripe.client import StripeProvider

    return StripeProvider(settings)
