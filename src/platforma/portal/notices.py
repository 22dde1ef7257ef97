"""Notices: one sentence on the next page, after something has been done.

A cookie carries a word of the list below and nothing else, so that nobody can make a portal say anything.
"""

from fastapi.responses import RedirectResponse
from starlette.requests import Request
from starlette.responses import Response

from platforma.authentication.cookies import clear_cookie, read_cookie, set_cookie

COOKIE = "__Host-platforma-notice"

NOTICES = {
    "signed-out": "You have signed out.",
    "session-revoked": "This session was ended: you signed out elsewhere, or somebody ended it. Sign in again.",
    "session-idle": "You were signed out because nothing was done for a while. Sign in again.",
    "session-expired": "This session has lasted as long as one may. Sign in again.",
    "session-suspended": "You were signed out: your account or your organisation is suspended. Ask its owner.",
    "password-set": "Your password is set. Sign in with it.",
    "password-changed": "Your password is changed, and all your other sessions have ended.",
    "session-ended": "That session has ended.",
    "sessions-ended": "All your other sessions have ended.",
    "member-changed": "The member is changed. A new role or a suspension ends sessions, and revokes kubeconfigs.",
    "member-signed-out": "The member is signed out everywhere.",
    "deletion-requested": "It is being deleted. The row goes when nothing is left of it.",
    "change-requested": "The change is being carried out.",
    "kubeconfig-revoked": "It is being revoked. The row goes when the cluster takes its token no more.",
    "kubeconfigs-revoked": "All kubeconfigs are being revoked.",
    "reading-requested": "The namespace is being looked into.",
    "billing-details-changed": "Invoices are made out to this from now on.",
    "card-requested": "The card shows up here when Stripe has confirmed it.",
    "card-default": "Invoices are collected from this card from now on.",
    "card-removed": "The card is being removed.",
    "payment-requested": "The payment is being carried out. Look again in a moment.",
    "budget-made": "The budget is watched from now on.",
    "budget-removed": "The budget is removed.",
    "invoice-requested": "The invoice is being made. There is none if nothing is to be paid.",
    "retry-requested": "It is being tried again.",
}


def see_other(location: str, *, notice: str | None = None) -> Response:
    """Send the browser on with GET (RFC 9110, 303), with a notice for the page that it comes to."""
    response = RedirectResponse(location, status_code=303)
    if notice is not None:
        leave_notice(response, notice)
    return response


def leave_notice(response: Response, notice: str) -> None:
    """Have the next page show a notice."""
    if notice not in NOTICES:
        raise KeyError(f"There is no notice {notice!r}.")
    response.headers.append("set-cookie", f"{set_cookie(COOKIE, notice)}; Max-Age=60")


def take_notice(request: Request, response_headers: list[str]) -> str | None:
    """Return the notice of this page and have its cookie deleted."""
    word = read_cookie(request.scope["headers"], COOKIE)
    if word is None:
        return None
    response_headers.append(clear_cookie(COOKIE))
    return NOTICES.get(word)
