"""What a member's browser does with Stripe's own script: confirm a card that is being added. For test cards alone."""

from urllib.parse import urlsplit

import httpx2

TEST_CARD = "4242424242424242"
"""Stripe's own: https://docs.stripe.com/testing"""
_SECONDS = 20.0


def is_test_key(publishable_key: str) -> bool:
    """Say whether a key is of a Stripe in which no money moves."""
    return publishable_key.startswith("pk_test_")


def api_address(script_url: str) -> str:
    """Return where Stripe's script would ask: beside itself, but for Stripe's own."""
    parts = urlsplit(script_url)
    host = parts.netloc
    return f"{parts.scheme}://{'api.stripe.com' if host == 'js.stripe.com' else host}"


async def confirm_test_card(
    script_url: str, publishable_key: str, client_secret: str, number: str = TEST_CARD
) -> str | None:
    """Give a test card to a SetupIntent, which its client secret names; return why Stripe refuses it, or None.

    Raises ValueError for a key that is no test key.
    """
    if not is_test_key(publishable_key):
        raise ValueError("Only test cards are confirmed here.")
    setup_id = client_secret.partition("_secret_")[0]
    card = {"number": number, "exp_month": "12", "exp_year": "2034", "cvc": "123"}
    form = {
        "key": publishable_key,
        "client_secret": client_secret,
        "payment_method_data[type]": "card",
        **{f"payment_method_data[card][{name}]": value for name, value in card.items()},
    }
    async with httpx2.AsyncClient(base_url=api_address(script_url), timeout=_SECONDS, trust_env=False) as client:
        try:
            reply = await client.post(f"/v1/setup_intents/{setup_id}/confirm", data=form)
        except httpx2.HTTPError as error:
            return f"Stripe could not be asked: {type(error).__name__}."
    return None if reply.status_code == 200 else f"Stripe answers {reply.status_code}: {reply.text[:200]}"
