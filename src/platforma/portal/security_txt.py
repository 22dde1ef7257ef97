"""Where to report a weakness: `/.well-known/security.txt` (RFC 9116), the same at every portal's host."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from platforma.kit.problems import NotFound
from platforma.portal.routes import OpenPageRoute
from platforma.settings import Settings

VALID_DAYS = 30

contact = APIRouter(tags=["Security"], route_class=OpenPageRoute)


def security_txt(settings: Settings, now: datetime) -> str | None:
    """Return the file, or None where nobody is named to report to. It changes once a day at most."""
    if not settings.security_contacts:
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {each}" for each in settings.security_contacts]
    lines.append(f"Expires: {midnight + timedelta(days=VALID_DAYS):%Y-%m-%dT%H:%M:%SZ}")
    if settings.security_policy is not None:
        lines.append(f"Policy: {settings.security_policy}")
    return "\n".join(lines) + "\n"


@contact.get("/.well-known/security.txt")
async def show_security_txt(request: Request) -> PlainTextResponse:
    """Whom to tell of a weakness, for researchers and their programs."""
    text = security_txt(request.app.state.settings, datetime.now(UTC))
    if text is None:
        raise NotFound
    return PlainTextResponse(text)
