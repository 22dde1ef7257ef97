"""What the API refuses before it does anything, and what its document says of every route."""

from typing import Any

import pytest

from platforma.operator.application import create_operator_app
from tests.api_client import Member
from tests.isolation.conftest import make_application
from tests.operator.conftest import NOWHERE

DOCUMENTS = [make_application("postgresql://nobody@/nothing").openapi(), create_operator_app(NOWHERE).openapi()]
OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (method.upper(), path, item)
    for document in DOCUMENTS
    for path, methods in document["paths"].items()
    for method, item in methods.items()
]


@pytest.mark.parametrize(("method", "path", "item"), OPERATIONS, ids=[f"{each[0]} {each[1]}" for each in OPERATIONS])
def test_every_route_is_described(method: str, path: str, item: dict[str, Any]) -> None:
    """A summary, a description, and the errors that it can answer with."""
    assert item["summary"]
    assert item["description"]
    answers = set(item["responses"])
    assert {"422", "503"} <= answers
    if item.get("x-permission"):
        assert {"401", "403"} <= answers
    if "{" in path:
        assert "404" in answers
    if "requestBody" in item:
        assert {"400", "413", "415"} <= answers
    for status, answer in item["responses"].items():
        assert answer["description"]
        if status >= "400":
            assert "application/problem+json" in answer["content"]


@pytest.mark.parametrize(
    "path", ["servers", "volumes", "networks", "routers", "security-groups", "key-pairs", "floating-ips", "operations"]
)
async def test_a_status_that_there_is_not_is_refused(a: Member, path: str) -> None:
    problem = await a.problem("GET", f"/{path}", status="bogus")
    assert problem["status"] == 422
    assert problem["errors"][0]["where"] == "query.status"


@pytest.mark.parametrize(
    "body", ['{"name": "a", "name": "b"}', '{"name": "a", "subnets": [{"cidr": "10.0.0.0/24", "cidr": "10.1.0.0/24"}]}']
)
async def test_a_key_that_is_there_twice_is_refused(a: Member, body: str) -> None:
    response = await a.client.request(
        "POST",
        f"http://{a.host}/api/v1/networks",
        content=body,
        headers={"cookie": f"__Host-platforma={a.token}", "content-type": "application/json"},
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["detail"] == "This key is there twice."
    assert not {"a", "b"} & {item["name"] for item in (await a.get("/networks"))["items"]}


async def test_quotas_say_how_much_is_used(a: Member) -> None:
    def of(answer: dict[str, Any]) -> dict[str, Any]:
        return {item["resource"]: item for item in answer["items"]}

    before = of(await a.get("/quotas"))
    await a.make_volume(size_gib=7)
    after = of(await a.get("/quotas"))
    assert after["volume_gib"]["used"] - before["volume_gib"]["used"] == 7
    assert after["volumes"]["used"] - before["volumes"]["used"] == 1
    assert after["servers"]["used"] == before["servers"]["used"]
    assert after["volume_gib"]["title"] == "GiB of volumes"
    refused = await a.problem("POST", "/volumes", {"name": "huge", "size_gib": after["volume_gib"]["maximum"]})
    assert "more GiB of volumes would make" in refused["detail"]
