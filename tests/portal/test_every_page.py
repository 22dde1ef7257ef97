"""Every page there is, taken from the inventory: as every role, with nothing, one and many of everything."""

from typing import Any

import pytest

from platforma.authentication.permissions import PERMISSIONS, Permission, Role
from platforma.portal.routes import form_page_of
from tests.database.tenants import Secret, make_signed_in
from tests.isolation.world import Tenancy
from tests.portal.conftest import MANY, Portal, path_of, read

in_one_loop = pytest.mark.asyncio(loop_scope="session")

LISTS = (
    "/networks",
    "/routers",
    "/floating-ips",
    "/security-groups",
    "/servers",
    "/key-pairs",
    "/volumes",
    "/operations",
    "/members",
)


@in_one_loop
@pytest.mark.parametrize("role", Role)
async def test_every_page_as_every_role(portal: Portal, role: Role) -> None:
    """Who may see a page sees well-formed HTML without a script in it; nobody else sees it."""
    for page in portal.guarded_pages():
        response = await portal.get(portal.furnished, path_of(page, portal.furnished), role)
        document = None
        if role not in PERMISSIONS[Permission(page.permission or "")]:
            assert response.status_code == 403, page.path
            document = read(response)
        elif response.status_code != 303:
            assert response.status_code == 200, page.path
            document = read(response)
        if document is not None:
            assert len(document.h1) == 1, page.path
            assert document.title.strip(" ·"), page.path


@in_one_loop
@pytest.mark.parametrize("role", Role)
async def test_nothing_is_offered_that_is_refused(portal: Portal, role: Role) -> None:
    """Every link and every form on every page leads to what the role may do."""
    for tenancy in (portal.furnished, portal.many):
        for page in portal.guarded_pages():
            if role not in PERMISSIONS[Permission(page.permission or "")]:
                continue
            if tenancy is portal.many and page.path not in (*LISTS, "/"):
                continue
            response = await portal.get(tenancy, path_of(page, tenancy), role)
            if response.status_code != 200:
                continue
            document = read(response)
            offered = [("GET", link) for link in document.links if link.startswith("/")]
            offered += [(form.method.upper(), form.action) for form in document.forms]
            for method, target in offered:
                if target.startswith("/api/"):
                    continue
                operation = portal.find(method, target)
                assert operation is not None, f"{page.path} offers {method} {target}, which does not exist"
                if operation.permission is not None:
                    allowed = PERMISSIONS[Permission(operation.permission)]
                    assert role in allowed, f"{page.path} offers {role} {method} {operation.path}"


@in_one_loop
async def test_lists_with_nothing_teach(portal: Portal) -> None:
    """A tenant without anything sees what a thing is for, and how to make the first."""
    empty = await _open_empty_tenant(portal)
    for path in (*LISTS, "/", "/servers/new", "/networks/new", "/volumes/new", "/key-pairs/new", "/account"):
        document = read(await portal.get(empty, path))
        if path in LISTS and path not in ("/operations", "/members"):
            assert f"{path}/new" in document.links, path
            assert "yet" in document.text, path


@in_one_loop
@pytest.mark.parametrize("path", [path for path in LISTS if path != "/members"])
async def test_lists_with_many_turn_pages(portal: Portal, path: str) -> None:
    """Following "next" shows everything once, and the filter stays."""
    seen: list[str] = []
    target, pages = f"{path}?limit=25", 0
    if path != "/operations":
        target += "&name=item"
    while target:
        response = await portal.get(portal.many, target)
        document = read(response)
        seen += [id_ for id_ in document.ids if id_.startswith("row-")]
        following = [link for link in document.links if "cursor=" in link and "sort=" not in link]
        target = following[0] if following else ""
        assert "name=item" in target or path == "/operations" or not target
        pages += 1
    assert pages == 3
    assert len(seen) == len(set(seen)) >= MANY


@in_one_loop
async def test_forms_name_pages_that_exist(portal: Portal) -> None:
    """Each form that can be refused can be shown again."""
    paths = {operation.path for operation in portal.operations() if operation.method == "GET"}
    endpoints = {context.name: context.endpoint for context in _routes(portal)}
    for operation in portal.operations():
        shown = form_page_of(endpoints[operation.id.removeprefix("page_")]) if operation.method == "POST" else None
        if operation.method == "POST" and operation.body_schema is not None:
            assert shown is not None, operation.path
        assert shown is None or shown in paths, operation.path


def _routes(portal: Portal) -> list[Any]:
    found: list[Any] = []
    pending: list[Any] = list(portal.pages.routes)
    while pending:
        route = pending.pop()
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner is not None:
            pending += inner
        elif hasattr(route, "endpoint"):
            found.append(route)
    return found


async def _open_empty_tenant(portal: Portal) -> Tenancy:
    databases = portal.databases
    owner = await make_signed_in(databases.operator, databases.portal, await Secret.make(), "empty")
    return Tenancy(host=owner.host, tenant_id=owner.tenant_id, canary=owner.email, tokens={Role.OWNER: owner.token})
