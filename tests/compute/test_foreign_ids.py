"""Another tenant's ids in every path, body and filter: the answer is that to an id that never existed."""

import json
from typing import Any

from platforma.database.tables import tenant_tables
from tests.api_client import Json, Member, unknown_id


async def furnish(member: Member) -> dict[str, str]:
    """Give a tenant one of everything; return the ids by kind."""
    network = await member.make_network()
    key_pair = await member.make("/key-pairs", name="mine")
    group = await member.make("/security-groups", name="web", rules=[{"protocol": "tcp"}])
    body = member.server_body(network["id"], key_pair_id=key_pair["id"], security_group_ids=[group["id"]])
    server = await member.make("/servers", **body)
    volume = await member.make_volume()
    free = await member.make_volume(name="free")
    await member.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    assert await member.settle() == []
    return {
        "network": network["id"],
        "key_pair": key_pair["id"],
        "group": group["id"],
        "rule": group["rules"][-1]["id"],
        "server": server["id"],
        "volume": volume["id"],
        "free": free["id"],
    }


def attacks(own: dict[str, str], victim: dict[str, str], a: Member) -> list[tuple[str, str, Any]]:
    """Return requests that each name one thing of the victim; all else is the attacker's own."""
    server = a.server_body(own["network"], name="attack")
    group = f"/security-groups/{victim['group']}"
    own_group = f"/security-groups/{own['group']}"
    paths: list[tuple[str, str, Any]] = [
        ("GET", f"/key-pairs/{victim['key_pair']}", None),
        ("DELETE", f"/key-pairs/{victim['key_pair']}", None),
        ("GET", group, None),
        ("PATCH", group, {"name": "x"}),
        ("DELETE", group, None),
        ("POST", f"{group}/rules", {"protocol": "udp"}),
        ("DELETE", f"{group}/rules/{victim['rule']}", None),
        ("DELETE", f"{group}/rules/{own['rule']}", None),
        ("DELETE", f"{own_group}/rules/{victim['rule']}", None),
        ("GET", f"/servers/{victim['server']}", None),
        ("PATCH", f"/servers/{victim['server']}", {"name": "x"}),
        ("DELETE", f"/servers/{victim['server']}", None),
        ("GET", f"/servers/{victim['server']}/console-output", None),
        ("GET", f"/volumes/{victim['volume']}", None),
        ("PATCH", f"/volumes/{victim['volume']}", {"name": "x"}),
        ("DELETE", f"/volumes/{victim['free']}", None),
        ("POST", f"/volumes/{victim['volume']}/extend", {"size_gib": 9}),
        ("POST", f"/volumes/{victim['volume']}/detach", None),
        ("POST", f"/volumes/{victim['free']}/attach", {"server_id": own["server"]}),
        ("POST", f"/volumes/{own['free']}/attach", {"server_id": victim["server"]}),
        ("POST", f"{own_group}/rules", {"remote_group_id": victim["group"]}),
        ("POST", "/security-groups", {"name": "x", "rules": [{"remote_group_id": victim["group"]}]}),
        ("POST", "/servers", server | {"network_ids": [victim["network"]]}),
        ("POST", "/servers", server | {"network_ids": [own["network"], victim["network"]]}),
        ("POST", "/servers", server | {"key_pair_id": victim["key_pair"]}),
        ("POST", "/servers", server | {"security_group_ids": [victim["group"]]}),
        ("POST", "/servers", server | {"security_group_ids": [own["group"], victim["group"]]}),
        ("GET", f"/servers?network_id={victim['network']}", None),
        ("GET", f"/volumes?server_id={victim['server']}", None),
    ]
    powers: list[tuple[str, Any]] = [("start", None), ("stop", None), ("reboot", {}), ("console-output", None)]
    return paths + [("POST", f"/servers/{victim['server']}/{power}", body) for power, body in powers]


async def digest(member: Member) -> list[Json]:
    """Return all that a tenant's tables hold."""
    rows: list[Json] = []
    for table in tenant_tables():
        query = f"SELECT (to_jsonb(t) - 'last_seen_at')::text AS row FROM {table} t WHERE tenant_id = %s ORDER BY id"
        rows += await member.stage.rows(query, member.tenant_id)
    return rows


async def test_another_tenants_ids_are_ids_that_never_existed(a: Member, b: Member) -> None:
    own, victim = await furnish(a), await furnish(b)
    nobody = {kind: unknown_id() for kind in victim}
    of_b, of_a = await digest(b), await digest(a)
    in_cloud = b.stage.objects(b.tenant_id)
    calls = b.stage.cloud.calls.copy()
    for foreign, unknown in zip(attacks(own, victim, a), attacks(own, nobody, a), strict=True):
        answer, expected = await a.ask(*foreign), await a.ask(*unknown)
        assert answer.status_code == expected.status_code, foreign
        assert answer.content == expected.content, foreign
        assert set(answer.headers) == set(expected.headers), foreign
        assert answer.status_code == 404 or json.loads(answer.content) == {"items": [], "next": None}, foreign
    assert await digest(b) == of_b
    assert await digest(a) == of_a
    assert b.stage.objects(b.tenant_id) == in_cloud
    assert b.stage.cloud.calls == calls


async def test_the_owner_succeeds_with_the_same_requests(b: Member) -> None:
    """The control: what was refused above fails for no other reason."""
    own = await furnish(b)
    unique = {json.dumps(each): each for each in attacks(own, own, b)}.values()
    in_order = sorted(unique, key=lambda each: (each[0] == "DELETE", -each[1].count("/")))
    for request in in_order:
        answer = await b.ask(*request)
        assert answer.status_code != 404, request
