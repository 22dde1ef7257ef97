"""Search: by name, address and id, over what is the tenant's own and what the role may see, and nothing else."""

import pytest

from platforma.authentication.permissions import Role
from platforma.portal.search import MOST_OF_A_KIND
from tests.portal.conftest import Portal, read

in_one_loop = pytest.mark.asyncio(loop_scope="session")


async def _search(
    portal: Portal, words: str, role: Role = Role.OWNER, *, is_many: bool = False
) -> list[dict[str, str]]:
    tenancy = portal.many if is_many else portal.furnished
    response = await portal.send("GET", tenancy, f"/api/v1/search?q={words}", role, {"accept": "application/json"})
    assert response.status_code == 200
    items: list[dict[str, str]] = response.json()["items"]
    return items


@in_one_loop
async def test_by_name_in_any_case(portal: Portal) -> None:
    found = await _search(portal, portal.furnished.canary.upper())
    kinds = [each["kind"] for each in found]
    assert {"server", "volume", "network", "router", "security_group", "key_pair", "snapshot", "namespace"} <= set(
        kinds
    )
    assert kinds == sorted(kinds, key=kinds.index), "a kind after the other"


@in_one_loop
async def test_by_id_and_by_address(portal: Portal) -> None:
    server_id = str(portal.furnished.ids["server_id"])
    assert [(each["kind"], each["id"]) for each in await _search(portal, server_id)] == [("server", server_id)]
    assert {each["kind"] for each in await _search(portal, "203.0.113.8", is_many=True)} == {"floating_ip"}
    page = await portal.send("GET", portal.furnished, "/api/v1/ports", Role.OWNER, {"accept": "application/json"})
    port = next(each for each in page.json()["items"] if each["addresses"])
    assert port["id"] in [each["id"] for each in await _search(portal, port["addresses"][0])]


@in_one_loop
async def test_nothing_of_another_tenant(portal: Portal) -> None:
    """Neither by name nor by id; and a percent sign is a percent sign."""
    for words in (portal.many.canary, str(portal.many.ids["server_id"]), "%25", "_", "%20"):
        assert await _search(portal, words) == []


@in_one_loop
async def test_a_role_finds_what_it_may_see(portal: Portal) -> None:
    found = {each["kind"] for each in await _search(portal, portal.furnished.canary, Role.BILLING)}
    assert found == set()
    page = read(await portal.get(portal.furnished, f"/search?q={portal.furnished.canary}", Role.BILLING))
    assert "Nothing matches" in page.text


@in_one_loop
async def test_much_of_a_kind_is_cut_and_the_list_has_all(portal: Portal) -> None:
    found = await _search(portal, "item", is_many=True)
    assert [each["name"] for each in found if each["kind"] == "server"] == [
        f"item {number:03}" for number in range(MOST_OF_A_KIND)
    ]
    page = read(await portal.get(portal.many, "/search?q=item"))
    assert "/servers?name=item" in page.links
    assert await portal.get(portal.many, "/servers?name=item")


@in_one_loop
async def test_what_cannot_be_looked_for_is_said(portal: Portal) -> None:
    for words in ("%00", "x" * 300):
        response = await portal.get(portal.furnished, f"/search?q={words}")
        assert response.status_code == 422
        read(response)
    assert "Find anything of yours" in read(await portal.get(portal.furnished, "/search")).text
