"""The matrix: every operation there is, with another tenant's id in every place where an id can stand.

It is generated from the running application. A route that it cannot exercise fails.
"""

import httpx
import pytest

from platforma.authentication.permissions import PERMISSIONS, Permission, Role
from platforma.database.tables import tenant_tables
from platforma.verification.inventory import ApiOperation, IdPlace
from platforma.verification.oracle import Answer, differences, normalise
from platforma.verification.requests import PreparedRequest, prepare
from tests.isolation.conftest import OPERATIONS, Stage
from tests.isolation.matrix import (
    OPEN_OPERATIONS,
    SITUATIONS,
    id_for,
    never_existed,
    required_places,
    tenants_places,
)
from tests.isolation.world import UNFURNISHED, Tenancy

GUARDED = [operation for operation in OPERATIONS if operation.permission is not None]
OPEN = [operation for operation in OPERATIONS if operation.permission is None]

in_one_loop = pytest.mark.asyncio(loop_scope="session")
for_each_operation = pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)


def own_ids(operation: ApiOperation, tenancy: Tenancy) -> dict[IdPlace, str]:
    """The tenant's own ids in every place that has to have one."""
    return {place: id_for(tenancy, place) for place in required_places(operation)}


async def ask(
    stage: Stage, request: PreparedRequest, tenancy: Tenancy, role: Role | None = Role.OWNER
) -> httpx.Response:
    """Send a request as a member of a role, or as nobody."""
    cookie = {"cookie": f"__Host-platforma={tenancy.tokens[role]}"} if role else {}
    return await stage.client.request(
        request.method,
        f"http://{tenancy.host}{request.target}",
        headers={**request.headers, **cookie, "host": tenancy.host},
        content=request.body,
    )


def answer_of(response: httpx.Response, sent: dict[str, str]) -> Answer:
    return normalise(response.status_code, response.headers.multi_items(), response.content, sent)


async def prepare_situation(stage: Stage, operation: ApiOperation) -> None:
    situation = SITUATIONS.get(operation.id)
    if situation is not None:
        async with stage.databases.portal.write(stage.a.binding()) as session:
            await situation(session, stage.a)


@in_one_loop
@for_each_operation
async def test_foreign_ids_are_unknown_ids(stage: Stage, operation: ApiOperation) -> None:
    """A01, A02, A07, A09: B's id anywhere is answered as one that never existed; nothing of B or A changes."""
    await prepare_situation(stage, operation)
    own = own_ids(operation, stage.a)
    before = await stage.digests()
    for place in tenants_places(operation):
        foreign_id, unknown_id = id_for(stage.b, place), never_existed()
        foreign = await ask(stage, prepare(operation, own | {place: foreign_id}), stage.a)
        unknown = await ask(stage, prepare(operation, own | {place: unknown_id}), stage.a)
        alike = differences(answer_of(foreign, {foreign_id: "id"}), answer_of(unknown, {unknown_id: "id"}))
        assert not alike, f"{place} tells B's id from an unknown one: {alike}"
        assert stage.b.canary not in foreign.text, f"{place} discloses B's rows"
        if place.location != "query":
            assert foreign.status_code == 404, f"{place}: {foreign.status_code} {foreign.text}"
    assert await stage.digests() == before, "something of A or B changed"


@in_one_loop
@for_each_operation
async def test_the_owner_succeeds(acting_stage: Stage, operation: ApiOperation) -> None:
    """The negative control: with the own ids in the same places the same request works, and B is untouched."""
    stage = acting_stage
    for place in [None, *(place for place in tenants_places(operation) if place not in required_places(operation))]:
        if place is not None:
            await stage.renew_a()
        await prepare_situation(stage, operation)
        ids = own_ids(operation, stage.a) | ({place: id_for(stage.a, place)} if place else {})
        before = await stage.digest(stage.b)
        response = await ask(stage, prepare(operation, ids), stage.a)
        assert response.status_code in (200, 201, 202, 204, 303), (
            f"{place}: {response.status_code} {response.text[:2000]}"
        )
        assert stage.b.canary not in response.text
        assert await stage.digest(stage.b) == before


@in_one_loop
@for_each_operation
async def test_roles_and_nobody(acting_stage: Stage, operation: ApiOperation) -> None:
    """Allowed plus denied is everybody: each role may exactly what the table says, and nobody nothing."""
    stage = acting_stage
    await prepare_situation(stage, operation)
    request = prepare(operation, own_ids(operation, stage.a))
    allowed = PERMISSIONS[Permission(operation.permission or "")]
    before = await stage.digests()
    nobody = await ask(stage, request, stage.a, None)
    assert stage.is_sign_in(nobody), f"nobody: {nobody.status_code} {nobody.text[:500]}"
    for role in set(Role) - allowed:
        response = await ask(stage, request, stage.a, role)
        assert response.status_code == 403, f"{role}: {response.status_code} {response.text[:500]}"
    assert await stage.digests() == before
    for role in allowed - {Role.OWNER}:
        response = await ask(stage, request, stage.a, role)
        assert response.status_code not in (401, 403), f"{role}: {response.status_code} {response.text[:500]}"


@in_one_loop
@pytest.mark.parametrize("operation", [each for each in GUARDED if each.method != "GET"], ids=lambda each: each.id)
async def test_every_change_is_in_the_audit_log(acting_stage: Stage, operation: ApiOperation) -> None:
    """Whatever a member changes leaves a line with the member's name in the own tenant's log, and in no other."""
    stage = acting_stage
    await prepare_situation(stage, operation)
    before = (await stage.lines(stage.a), await stage.lines(stage.b))
    response = await ask(stage, prepare(operation, own_ids(operation, stage.a)), stage.a)
    assert response.status_code < 400, response.text[:500]
    lines = (await stage.lines(stage.a))[len(before[0]) :]
    assert lines, "nothing was written"
    assert {actor for actor, _action in lines} == {f"owner@{stage.a.canary}.example"}
    assert await stage.lines(stage.b) == before[1]


@in_one_loop
@for_each_operation
async def test_no_header_names_a_tenant(acting_stage: Stage, operation: ApiOperation) -> None:
    """A03, A21: identity headers as if from a proxy, and B's ids in cookies of other names, change nothing."""
    stage = acting_stage
    await prepare_situation(stage, operation)
    request = prepare(operation, own_ids(operation, stage.a))
    b = str(stage.b.tenant_id)
    names = (
        "X-Tenant-ID",
        "X-Project-ID",
        "X-Account-ID",
        "X-Forwarded-User",
        "X-Remote-User",
        "X-User-Id",
        "X-Original-URL",
    )
    forged = PreparedRequest(
        request.method,
        request.target,
        request.headers
        | dict.fromkeys(names, b)
        | {"X-Forwarded-Host": stage.b.host, "Forwarded": f"host={stage.b.host}"},
        request.body,
    )
    before = await stage.digest(stage.b)
    response = await ask(stage, forged, stage.a)
    assert stage.b.canary not in response.text
    assert await stage.digest(stage.b) == before
    nobody = await ask(stage, forged, stage.a, None)
    assert stage.is_sign_in(nobody)


@in_one_loop
@for_each_operation
async def test_no_parameter_names_a_tenant(stage: Stage, operation: ApiOperation) -> None:
    """A03, A04: a tenant's id in a query or body field is refused as an unknown field, and changes nothing."""
    await prepare_situation(stage, operation)
    own = own_ids(operation, stage.a)
    before = await stage.digests()
    for name in ("tenant_id", "project_id", "account_id", "portal_id"):
        request = prepare(operation, own)
        joint = "&" if "?" in request.target else "?"
        with_query = PreparedRequest(
            request.method, f"{request.target}{joint}{name}={stage.b.tenant_id}", request.headers, request.body
        )
        response = await ask(stage, with_query, stage.a)
        assert response.status_code == 422, f"query.{name}: {response.status_code} {response.text[:500]}"
        if operation.body_schema is not None:
            body = (operation.example_body() or {}) | {name: str(stage.b.tenant_id)}
            response = await ask(stage, prepare(operation, own, body=body), stage.a)
            assert response.status_code == 422, f"body.{name}: {response.status_code} {response.text[:500]}"
    assert await stage.digests() == before


@in_one_loop
@for_each_operation
async def test_the_session_is_worthless_elsewhere(stage: Stage, operation: ApiOperation) -> None:
    """P01: A's cookie at B's portal and at an unknown host is nobody's, and nothing is refreshed."""
    await prepare_situation(stage, operation)
    request = prepare(operation, own_ids(operation, stage.a))
    before = await stage.digests()
    answers = []
    for host in (stage.b.host, "unknown.localhost"):
        response = await stage.client.request(
            request.method,
            f"http://{host}{request.target}",
            headers={**request.headers, "cookie": f"__Host-platforma={stage.a.tokens[Role.OWNER]}", "host": host},
            content=request.body,
        )
        assert response.status_code in (303, 401, 404), f"{host}: {response.status_code} {response.text[:500]}"
        assert "set-cookie" not in response.headers
        answers.append(response.status_code)
    if operation.path.startswith("/api/"):
        assert answers == [401, 401]
    assert await stage.digests() == before


def test_open_operations_are_declared() -> None:
    """A route that asks for no permission is one that somebody decided to open."""
    assert {operation.id for operation in OPEN} == set(OPEN_OPERATIONS)


def test_the_inventory_is_whole() -> None:
    """An empty inventory would pass everything."""
    assert len(GUARDED) > 20
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


@in_one_loop
async def test_the_world_has_everything(stage: Stage) -> None:
    """Each tenant-owned table has rows of A and of B, or the matrix would attack nothing."""
    empty = [table for table, rows in (await stage.count_rows(stage.b)).items() if not rows]
    assert set(empty) == set(UNFURNISHED)
    assert set(UNFURNISHED) <= set(tenant_tables())
