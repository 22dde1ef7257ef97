"""The sign-in, invitations and the member's own account, as a browser without scripts has them."""

import httpx
import pytest

from platforma.authentication.passages import is_safe_path
from platforma.authentication.permissions import Role
from platforma.database.gate_calls import OperatorBinding
from platforma.kit.crypto import new_token
from platforma.tenants.models import Member
from tests.isolation.world import PASSWORD, Tenancy
from tests.portal.conftest import Portal, read

in_one_loop = pytest.mark.asyncio(loop_scope="session")


def email_of(tenancy: Tenancy, role: Role = Role.OWNER) -> str:
    return f"{role}@{tenancy.canary}.example"


def cookies_of(response: httpx.Response) -> dict[str, str]:
    """Return the cookies that an answer sets, with their attributes."""
    return dict(value.split("=", 1) for value in response.headers.get_list("set-cookie"))


@in_one_loop
async def test_signing_in_leads_on(portal: Portal) -> None:
    """E-mail and password give a session, and the page that was asked for."""
    tenancy = portal.furnished
    fields = {"email": email_of(tenancy), "password": PASSWORD, "next": "/servers?name=a"}
    response = await portal.post(tenancy, "/sign-in", fields, None)
    assert response.status_code == 303
    assert response.headers["location"] == "/servers?name=a"
    token, _, attributes = cookies_of(response)["__Host-platforma"].partition(";")
    assert attributes == " Path=/; Secure; HttpOnly; SameSite=Lax"
    signed_in = await portal.get(tenancy, "/", None, cookie=f"__Host-platforma={token}")
    assert signed_in.status_code == 200


@in_one_loop
async def test_a_refused_sign_in_says_one_thing(portal: Portal) -> None:
    """A wrong password, an unknown e-mail and another portal's are answered alike, and nothing is echoed but the
    e-mail that was typed."""
    a, b = portal.furnished, portal.many
    answers = []
    for tenancy, email, password in (
        (a, email_of(a), "wrong horse battery staple"),
        (a, "nobody@example.org", PASSWORD),
        (a, email_of(b), PASSWORD),
    ):
        response = await portal.post(tenancy, "/sign-in", {"email": email, "password": password, "next": "/"}, None)
        assert response.status_code == 401
        assert "set-cookie" not in response.headers
        assert "E-mail or password is wrong" in read(response).text
        assert password not in response.text
        assert f'value="{email}"' in response.text
        answers.append(response.text.replace(email, "EMAIL"))
    assert len(set(answers)) == 1


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\\b",
        "/ä",
        "/a b",
        "",
        "/api/v1/me",
        "/" + "a" * 4000,
    ],
)
def test_unsafe_places_are_not_led_to(path: str) -> None:
    assert not is_safe_path(path)


@in_one_loop
async def test_nobody_is_led_to_another_site(portal: Portal) -> None:
    """An unsafe `next` leads to the dashboard, from the address as from the form."""
    tenancy = portal.furnished
    page = await portal.get(tenancy, "/sign-in?next=//evil.example", None)
    assert "evil.example" not in page.text
    fields = {"email": email_of(tenancy), "password": PASSWORD, "next": "//evil.example"}
    response = await portal.post(tenancy, "/sign-in", fields, None)
    assert response.headers["location"] == "/"


@in_one_loop
async def test_nobody_is_sent_to_sign_in_and_back(portal: Portal) -> None:
    """Who is not signed in comes to the sign-in, which knows where to go on; a fragment sends the whole page there."""
    tenancy = portal.furnished
    response = await portal.get(tenancy, "/servers?name=a&status=active", None)
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?next=%2Fservers%3Fname%3Da%26status%3Dactive"
    fragment = await portal.get(
        tenancy,
        "/servers",
        None,
        hx_request="true",
        hx_target="live_rows",
        hx_current_url=f"http://{tenancy.host}/servers?name=a",
    )
    assert fragment.status_code == 401
    assert fragment.headers["hx-redirect"] == "/sign-in?next=%2Fservers%3Fname%3Da"


@in_one_loop
async def test_signing_out_ends_the_session(portal: Portal) -> None:
    """After signing out the token is worthless, and the next page says so, once."""
    tenancy = await portal.renew()
    response = await portal.post(tenancy, "/sign-out")
    assert response.headers["location"] == "/sign-in"
    cookies = cookies_of(response)
    assert "Max-Age=0" in cookies["__Host-platforma"]
    assert (await portal.get(tenancy, "/")).status_code == 303
    notice = cookies["__Host-platforma-notice"].partition(";")[0]
    page = await portal.get(tenancy, "/sign-in", None, cookie=f"__Host-platforma-notice={notice}")
    assert "You have signed out." in page.text
    assert "Max-Age=0" in cookies_of(page)["__Host-platforma-notice"]


@in_one_loop
async def test_a_notice_says_only_what_is_listed(portal: Portal) -> None:
    """Whatever the notice's cookie says, only the sentences of the list are shown."""
    for word in ("evil", "<b>evil</b>", "signed-out-evil"):
        page = await portal.get(portal.furnished, "/sign-in", None, cookie=f"__Host-platforma-notice={word}")
        assert "evil" not in page.text


@in_one_loop
async def test_an_invitation_sets_a_password(portal: Portal) -> None:
    """The link shows whom it is for, wants the password twice, and works once and at its own portal only."""
    tenancy, token = await portal.renew(), new_token()
    binding = OperatorBinding(tenancy.tenant_id, "tests", "invite", "a test")
    async with portal.databases.operator.write(binding) as session:
        member = Member(email=f"new@{tenancy.canary}.example", name="Newcomer", role="viewer")
        session.add(member)
        await session.flush()
        await session.call_gate("create_invitation", member=member.id, token=token, lifetime_seconds=3600)
    path = f"/invitation/{token}"
    assert "Newcomer" in read(await portal.get(tenancy, path, None)).text
    assert (await portal.get(portal.furnished, path, None)).status_code == 404
    short = await portal.post(tenancy, path, {"password": "short", "repeated": "short"}, None)
    assert short.status_code == 422
    unlike = {"password": "a sentence is good", "repeated": "another sentence"}
    different = await portal.post(tenancy, path, unlike, None)
    assert different.status_code == 422
    assert "The two are not the same." in read(different).text
    assert "a sentence is good" not in different.text
    alike = dict.fromkeys(unlike, "a sentence is good")
    done = await portal.post(tenancy, path, alike, None)
    assert done.headers["location"] == "/sign-in"
    fields = {"email": f"new@{tenancy.canary}.example", "password": "a sentence is good"}
    assert (await portal.post(tenancy, "/sign-in", fields, None)).status_code == 303
    assert (await portal.get(tenancy, path, None)).status_code == 404


@in_one_loop
async def test_changing_the_password(portal: Portal) -> None:
    """The new password counts, the session goes on under a new token, and the old token is worthless."""
    tenancy = await portal.renew()
    new = "another good sentence"
    wrong = {"present_password": "not this one", "new_password": new, "repeated": new}
    refused = await portal.post(tenancy, "/account/password", wrong)
    assert refused.status_code == 422
    assert "This is not your present password." in read(refused).text
    response = await portal.post(tenancy, "/account/password", wrong | {"present_password": PASSWORD})
    assert response.status_code == 303
    token = cookies_of(response)["__Host-platforma"].partition(";")[0]
    assert (await portal.get(tenancy, "/account")).status_code == 303
    assert (await portal.get(tenancy, "/account", None, cookie=f"__Host-platforma={token}")).status_code == 200


@in_one_loop
async def test_ending_other_sessions(portal: Portal) -> None:
    """All other sessions of the member end; this one goes on, and other members' too."""
    tenancy = await portal.renew()
    fields = {"email": email_of(tenancy), "password": PASSWORD}
    other = cookies_of(await portal.post(tenancy, "/sign-in", fields, None))["__Host-platforma"].partition(";")[0]
    assert (await portal.get(tenancy, "/", None, cookie=f"__Host-platforma={other}")).status_code == 200
    assert (await portal.post(tenancy, "/account/sessions/revoke-others")).status_code == 303
    assert (await portal.get(tenancy, "/", None, cookie=f"__Host-platforma={other}")).status_code == 303
    assert (await portal.get(tenancy, "/")).status_code == 200
    assert (await portal.get(tenancy, "/", Role.MEMBER)).status_code == 200
