"""security.txt: as RFC 9116 has it, at portals only, and nothing can be slipped into it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from platforma.authentication.permissions import Role
from platforma.portal.security_txt import security_txt
from platforma.settings import Settings
from tests.portal.conftest import Portal

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_the_file_names_contacts_an_end_and_the_policy() -> None:
    settings = Settings(
        security_contacts=["mailto:security@example.com", "https://example.com/report"],
        security_policy="https://example.com/policy",
    )
    assert security_txt(settings, NOON) == (
        "Contact: mailto:security@example.com\nContact: https://example.com/report\n"
        "Expires: 2026-12-23T00:00:00Z\nPolicy: https://example.com/policy\n"
    )
    assert security_txt(Settings(), NOON) is None


@pytest.mark.parametrize("contact", ["security@example.com", "http://example.com", "mailto:a@b.c\nPolicy: https://x"])
def test_what_is_no_contact_is_refused(contact: str) -> None:
    with pytest.raises(ValidationError):
        Settings(security_contacts=[contact])
    with pytest.raises(ValidationError):
        Settings(security_policy=contact)


@pytest.mark.asyncio(loop_scope="session")
async def test_it_is_there_once_somebody_is_named(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/.well-known/security.txt"
    assert (await portal.get(portal.furnished, path, None)).status_code == 404
    monkeypatch.setattr(portal.pages.state, "settings", Settings(security_contacts=["mailto:security@example.com"]))
    for role in (None, Role.OWNER):
        shown = await portal.get(portal.furnished, path, role)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert shown.text.startswith("Contact: mailto:security@example.com\nExpires: ")
