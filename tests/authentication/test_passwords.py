"""New passwords: refused where they are easily guessed, with the words at their field; and why a session has ended."""

import time

import psycopg
import pytest

from platforma.authentication.guessing import common_passwords, describe_guess
from platforma.authentication.permissions import Role
from tests.authentication.conftest import Portal, token_of
from tests.isolation.world import PASSWORD, Tenancy

OWN = ("ada@northwind.example", "Ada Lovelace", "Northwind Traders", "Aurora Cloud", "cloud.aurora.example")


def test_there_are_enough_common_passwords() -> None:
    assert len(common_passwords()) == 10_000
    assert {"password", "letmein", "qwerty"} <= common_passwords()


@pytest.mark.parametrize(
    "password",
    ["password1234", "P@ssw0rd2026!", "letmeinletmein", "qwertyuiop12", "123456789012", "aaaaaaaaaaaa", "abcdefghijkl"],
)
def test_common_passwords_are_refused(password: str) -> None:
    assert describe_guess(password, ()) == "It is one of the common passwords, or nearly so."


@pytest.mark.parametrize(
    "password", ["ada@northwind.example", "AdaLovelace2026", "northwindtraders", "Aurora Cloud!", "Northwind-2026!"]
)
def test_what_everybody_knows_is_refused(password: str) -> None:
    assert describe_guess(password, OWN) is not None
    assert describe_guess(password, ()) is None or "2026" in password


@pytest.mark.parametrize(
    "password", [PASSWORD, "a sentence is a good password", "xK9#mQ2$vL7p", "another good long sentence"]
)
def test_good_ones_are_taken(password: str) -> None:
    assert describe_guess(password, OWN) is None


def test_a_password_that_is_made_to_take_long_does_not() -> None:
    begun = time.process_time()
    describe_guess("4@8({[</369&#!1/|0$5+7%2/" * 10, OWN)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(("new", "words"), [("short", "12 to 256 characters"), ("password1234", "common passwords")])
async def test_the_words_stand_at_the_field(portal: Portal, a: Tenancy, new: str, words: str) -> None:
    token = token_of(await portal.sign_in(a))
    form = {"present_password": PASSWORD, "new_password": new, "repeated": new}
    refused = await portal.send("POST", "/account/password", host=a.host, token=token, data=form)
    assert refused.status_code == 422
    at_field = refused.text.partition('id="field-new_password-error"')[2].partition("</p>")[0]
    assert words in at_field
    wrong = form | {"present_password": "not the password", "new_password": f"{PASSWORD}!", "repeated": f"{PASSWORD}!"}
    refused = await portal.send("POST", "/account/password", host=a.host, token=token, data=wrong)
    assert 'id="field-present_password-error"' in refused.text
    assert 'id="field-new_password-error"' not in refused.text


async def test_the_own_name_is_refused_by_the_api(portal: Portal, a: Tenancy) -> None:
    token = token_of(await portal.sign_in(a))
    body = {"present_password": PASSWORD, "new_password": f"owner@{a.canary}.example"}
    refused = await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["where"] == "body.new_password"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE sessions SET revoked_at = now() WHERE tenant_id = %s", "This session was ended"),
        ("UPDATE sessions SET last_seen_at = now() - interval '2 days' WHERE tenant_id = %s", "nothing was done"),
        ("UPDATE sessions SET expires_at = now() WHERE tenant_id = %s", "as long as one may"),
        ("UPDATE members SET status = 'suspended' WHERE tenant_id = %s", "is suspended"),
    ],
)
async def test_the_sign_in_page_says_why_a_session_has_ended(
    portal: Portal, a: Tenancy, b: Tenancy, administrator: psycopg.AsyncConnection, change: str, words: str
) -> None:
    token = a.tokens[Role.OWNER]
    await administrator.execute(change.encode(), (a.tenant_id,))
    sent = await portal.send("GET", "/servers", host=a.host, token=token)
    assert sent.headers["location"] == "/sign-in?next=%2Fservers"
    notice = sent.headers["set-cookie"].partition(";")[0]
    page = await portal.send("GET", "/sign-in", host=a.host, headers={"cookie": notice})
    assert words in page.text
    elsewhere = await portal.send("GET", "/servers", host=b.host, token=token)
    assert "set-cookie" not in elsewhere.headers
    unknown = await portal.send("GET", "/servers", host=a.host, token="x" * 43)
    assert "set-cookie" not in unknown.headers
