"""A local Stripe: `localstripe`, behind a proxy that honours idempotency keys, which it does not."""

from devcloud.stripe.server import LocalStripe

__all__ = ["LocalStripe"]
