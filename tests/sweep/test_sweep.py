"""What somebody changes behind our back is found with evidence, and mended or told as the operator chose."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from platforma.clouds.openstack import CloudConflict, CloudThrottled, CloudUnavailable, RuleSpec
from platforma.clouds.openstack.fake import FakeProjectCloud
from platforma.clouds.openstack.resources import CloudKind
from platforma.sweep.comparing import DEFAULT_GROUP
from platforma.sweep.kinds import MEANINGS, OPENINGS, DriftKind, Mode
from platforma.sweep.turns import Sweeper
from tests.api_client import Json, Member
from tests.network.test_floating_ips import make_reachable_server
from tests.operator.conftest import Plane

Meddle = Callable[[Member], None]


async def sweep(a: Member) -> list[Json]:
    """Look at the tenant's project once; return the findings of it that last."""
    stage = a.stage
    await stage.databases.administrator.execute(b"DELETE FROM sweeps WHERE tenant_id <> %s", (a.tenant_id,))
    await stage.databases.worker.call_gate("add_sweeps")
    await stage.databases.administrator.execute(
        b"UPDATE sweeps SET wake_at = CASE WHEN tenant_id = %s THEN now() ELSE now() + interval '1 day' END",
        (a.tenant_id,),
    )
    sweeper = Sweeper(stage.databases.worker, stage.access, stage.executor, every_seconds=3600)
    assert await sweeper.take_turn()
    return await findings(a, "status IN ('open', 'mending')")


async def findings(a: Member, where: str = "true") -> list[Json]:
    query = f"SELECT * FROM sweep_findings WHERE tenant_id = %s AND {where} ORDER BY kind"
    return await a.stage.rows(query, a.tenant_id)


async def choose(a: Member, kind: DriftKind, mode: Mode) -> None:
    await a.stage.databases.administrator.execute(
        b"INSERT INTO sweep_choices (kind, mode, chosen_by) VALUES (%s, %s, 'a test')"
        b" ON CONFLICT (kind) DO UPDATE SET mode = excluded.mode",
        (kind, mode),
    )


@pytest.fixture(autouse=True)
async def _no_choices(a: Member) -> None:
    """Nobody has chosen anything."""
    await a.stage.databases.administrator.execute(b"DELETE FROM sweep_choices")


def own(a: Member, kind: CloudKind) -> Any:
    (found,) = [item for item in a.in_cloud(kind) if item.name != DEFAULT_GROUP]
    return found


def open_group(a: Member) -> None:
    for group in a.in_cloud(CloudKind.SECURITY_GROUP):
        group.attributes["rules"][str(uuid4())] = RuleSpec(uuid4(), "ingress", "IPv4", "tcp", 22, 22)


def foreign_rule(a: Member) -> None:
    for group in a.in_cloud(CloudKind.SECURITY_GROUP):
        group.attributes["rules"][str(uuid4())] = RuleSpec(
            uuid4(), "ingress", "IPv4", remote_group_cloud_id=str(uuid4())
        )


def close_group(a: Member) -> None:
    for group in a.in_cloud(CloudKind.SECURITY_GROUP):
        group.attributes["rules"].popitem()


def share(a: Member) -> None:
    a.in_cloud(CloudKind.NETWORK)[0].attributes["shares"][str(uuid4())] = "*"


def set_port(**attributes: Any) -> Meddle:
    return lambda a: own(a, CloudKind.PORT).attributes.update(attributes)


def set_routers(**attributes: Any) -> Meddle:
    def meddle(a: Member) -> None:
        for router in a.in_cloud(CloudKind.ROUTER):
            router.attributes.update(attributes)

    return meddle


def set_subnet(a: Member) -> None:
    a.in_cloud(CloudKind.SUBNET)[0].attributes["host_routes"] = ("10.0.0.0/8 via 10.7.0.9",)


def unsecure_network(a: Member) -> None:
    a.in_cloud(CloudKind.NETWORK)[0].attributes["secured"] = False


def lead_elsewhere(a: Member) -> None:
    own(a, CloudKind.FLOATING_IP).attributes["port"] = None


MEDDLING: dict[str, tuple[DriftKind, Meddle, str]] = {
    "an opened group": (DriftKind.RULE_ADDED, open_group, "ingress IPv4 tcp 22 from anywhere"),
    "a foreign group": (DriftKind.RULE_ADDED, foreign_rule, "ingress IPv4 everything from"),
    "a rule that went": (DriftKind.RULE_MISSING, close_group, "IPv"),
    "a share": (DriftKind.SHARE, share, "access_as_shared"),
    "a port without security": (DriftKind.PORT_SECURITY_OFF, set_port(secured=False), "False"),
    "a network without security": (DriftKind.PORT_SECURITY_OFF, unsecure_network, "False"),
    "a pair for everything": (DriftKind.ADDRESS_PAIR, set_port(allowed=["0.0.0.0/0"]), "0.0.0.0/0"),
    "a port without groups": (DriftKind.PORT_GROUPS, set_port(groups=set()), "wanted"),
    "a DHCP option": (DriftKind.DHCP_OPTION, set_port(dhcp_options=("router=10.7.0.66",)), "10.7.0.66"),
    "a route": (DriftKind.ROUTE, set_routers(routes=("10.9.0.0/24 via 203.0.113.7",)), "203.0.113.7"),
    "a host route": (DriftKind.ROUTE, set_subnet, "10.7.0.9"),
    "a closed gateway": (DriftKind.GATEWAY, set_routers(address=None), "False"),
    "a floating IP elsewhere": (DriftKind.FLOATING_IP, lead_elsewhere, "leads_to"),
}


async def furnish(a: Member) -> None:
    port = await make_reachable_server(a)
    await a.make("/floating-ips", name="web", port_id=port["id"])
    await a.make_volume()
    assert await sweep(a) == []


@pytest.mark.parametrize("name", MEDDLING)
async def test_what_was_changed_is_found_and_mended(a: Member, name: str) -> None:
    kind, meddle, evidence = MEDDLING[name]
    await furnish(a)
    meddle(a)
    found = await sweep(a)
    assert {row["kind"] for row in found} == {kind}
    assert all(evidence in str(row["evidence"]) for row in found)
    assert {row["status"] for row in found} == {"mending"}
    assert await a.settle() == []
    assert await sweep(a) == []
    assert {row["status"] for row in await findings(a)} == {"mended"}
    events = await a.stage.rows(
        "SELECT action FROM audit_events WHERE tenant_id = %s AND actor = 'platforma'", a.tenant_id
    )
    counts = {action: len(found) for action in ("sweep.found", "sweep.mend", "sweep.mended")}
    assert {action: sum(row["action"] == action for row in events) for action in counts} == counts
    calls = len(a.stage.cloud.calls)
    assert await sweep(a) == []
    assert [call.method for call in a.stage.cloud.calls[calls:]] == ["survey"]


IN_ERROR = ("networks", "subnets", "routers", "ports", "security_groups", "servers", "floating_ips")


@pytest.mark.parametrize("name", [name for name, (kind, _, _) in MEDDLING.items() if kind in OPENINGS])
async def test_what_is_in_error_hides_nothing(a: Member, name: str) -> None:
    """A member can bring what is its own into error. A wall that is open there is open."""
    kind, meddle, _ = MEDDLING[name]
    await furnish(a)
    for table in IN_ERROR:
        query = f"UPDATE {table} SET status = 'error', status_reason = 'No.' WHERE tenant_id = %s"
        await a.stage.databases.administrator.execute(query.encode(), (a.tenant_id,))
    assert await sweep(a) == []
    meddle(a)
    assert {(row["kind"], row["status"]) for row in await sweep(a)} == {(kind, "mending")}
    await a.settle()
    assert await sweep(a) == []


async def test_work_without_end_hides_nothing_for_long(a: Member) -> None:
    await furnish(a)
    set_port(secured=False)(a)
    port = own(a, CloudKind.PORT)
    (row,) = await a.stage.rows(
        "SELECT id FROM ports WHERE tenant_id = %s AND cloud_id = %s", a.tenant_id, port.cloud_id
    )
    await a.wish("PATCH", f"/ports/{row['id']}", {"description": "busy"})
    assert await sweep(a) == []
    await a.stage.databases.administrator.execute(
        b"UPDATE sweeps SET suspected ="
        b" (SELECT jsonb_object_agg(key, '2026-01-01T00:00:00Z') FROM jsonb_each(suspected))"
        b" WHERE suspected <> '{}'"
    )
    (found,) = await sweep(a)
    assert (found["kind"], found["status"]) == (DriftKind.PORT_SECURITY_OFF, "mending")
    assert await a.settle() == []
    assert await sweep(a) == []
    assert (await a.stage.row("SELECT suspected FROM sweeps WHERE tenant_id = %s", a.tenant_id))["suspected"] == {}


async def test_what_only_an_administrator_can_delete_is_left_to_the_provisioner(a: Member) -> None:
    """Rules of another project in the tenant's group: the worker may ask for that, and only while they stay."""
    await furnish(a)
    group = a.in_cloud(CloudKind.SECURITY_GROUP)[0]
    group.attributes["foreign_rules"] = {str(uuid4()): RuleSpec(uuid4(), "ingress", "IPv4", "tcp", 22, 22)}
    evictions = "SELECT status, requested_by FROM operations WHERE tenant_id = %s AND action = 'tenant.evict'"
    (found,) = await sweep(a)
    assert (found["kind"], found["status"]) == (DriftKind.RULE_ADDED, "mending")
    assert await a.settle() == []
    assert await a.stage.rows(evictions, a.tenant_id) == [], "the tenant's own credential comes first"
    for _ in range(2):
        (again,) = await sweep(a)
        assert again["id"] == found["id"]
        assert await a.stage.rows(evictions, a.tenant_id) == [{"status": "queued", "requested_by": "platforma"}]
    assert await a.settle() == []
    assert "foreign_rules" not in group.attributes
    assert await sweep(a) == []
    assert {row["status"] for row in await findings(a)} == {"mended"}


@pytest.mark.parametrize("name", ["an opened group", "a share", "a port without security", "a route"])
async def test_what_is_only_reported_stays_and_is_told_once(a: Member, name: str) -> None:
    kind, meddle, _ = MEDDLING[name]
    await furnish(a)
    await choose(a, kind, Mode.REPORT)
    meddle(a)
    first = await sweep(a)
    operations = await a.stage.rows("SELECT id FROM operations WHERE tenant_id = %s ORDER BY id", a.tenant_id)
    again = await sweep(a)
    assert [(row["id"], row["status"]) for row in again] == [(row["id"], "open") for row in first]
    assert first
    assert await a.stage.rows("SELECT id FROM operations WHERE tenant_id = %s ORDER BY id", a.tenant_id) == operations
    events = await a.stage.rows(
        "SELECT 1 FROM audit_events WHERE tenant_id = %s AND action LIKE 'sweep.%%'", a.tenant_id
    )
    assert len(events) == len(first)
    await choose(a, kind, Mode.MEND)
    assert {row["status"] for row in await sweep(a)} == {"mending"}


@pytest.mark.parametrize("kind", [kind for kind in CloudKind if kind is not CloudKind.KEY_PAIR])
async def test_what_we_did_not_make(a: Member, b: Member, kind: CloudKind) -> None:
    stranger = a.stage.cloud.add(
        kind,
        a.tenant_id.hex,
        "stranger",
        status="available",
        network="x",
        fixed_ips=[],
        subnets=set(),
        cidr="10.66.0.0/24",
        port=None,
        attachments=[],
        rules={},
        groups=set(),
    )
    (found,) = await sweep(a)
    assert (found["kind"], found["status"], found["evidence"]["id"]) == ("unknown", "open", stranger.cloud_id)
    assert stranger.cloud_id in a.stage.cloud.objects
    assert await findings(b) == []
    await choose(a, DriftKind.UNKNOWN, Mode.MEND)
    for _ in range(4):
        await sweep(a)
    assert stranger.cloud_id not in a.stage.cloud.objects
    assert {row["status"] for row in await findings(a)} == {"mended"}


async def attach(a: Member) -> tuple[Any, Any]:
    """Attach a volume to a server; return both as the cloud has them."""
    server, volume = await a.make_server(), await a.make_volume()
    await a.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    assert await a.settle() == []
    assert await sweep(a) == []
    return a.cloud_object(CloudKind.SERVER, server["id"]), a.cloud_object(CloudKind.VOLUME, volume["id"])


async def test_a_volume_that_cinder_takes_for_free_is_fenced_and_comes_back(a: Member) -> None:
    """S02: the attachment was deleted underneath Nova, whose server still reads the volume (CVE-2023-2088)."""
    server, volume = await attach(a)
    volume.status, volume.attributes["attachments"] = "available", []
    server.attributes["held"] = {volume.cloud_id}
    (found,) = await sweep(a)
    assert (found["kind"], found["status"]) == (DriftKind.ATTACHMENT, "mending")
    assert found["evidence"] == {"volume": volume.cloud_id, "server": server.cloud_id, "said_by": "Nova alone"}
    assert server.attributes["held"] == set()
    (again,) = await sweep(a)
    assert (again["kind"], again["evidence"]["nova"]) == (DriftKind.ATTACHMENT, [])
    assert await a.settle() == []
    assert await sweep(a) == []
    assert [each.server_cloud_id for each in volume.attributes["attachments"]] == [server.cloud_id]


async def test_a_volume_of_somebody_else_is_taken_from_the_server(a: Member, b: Member) -> None:
    """S02, seen from the one who got the bytes: the server holds what is not in its project at all."""
    server, volume = await attach(a)
    theirs = b.cloud_object(CloudKind.VOLUME, (await b.make_volume())["id"]).cloud_id
    server.attributes["held"] = {theirs}
    (found,) = await sweep(a)
    assert (found["subject"], found["status"]) == (f"volume {theirs}", "mending")
    assert server.attributes["held"] == set()
    assert await sweep(a) == []
    assert volume.status == "in-use"


async def test_space_that_a_server_still_holds_is_not_given_back(a: Member) -> None:
    server = a.cloud_object(CloudKind.SERVER, (await a.make_server())["id"])
    made = await a.make_volume()
    volume = a.cloud_object(CloudKind.VOLUME, made["id"])
    server.attributes |= {"held": {volume.cloud_id}, "is_stubborn": True}
    await a.wish("DELETE", f"/volumes/{made['id']}")
    (failed,) = await a.settle()
    assert "was not given back" in failed["error"]["detail"]
    for _ in range(2):
        (found,) = await sweep(a)
        assert (found["kind"], found["status"]) == (DriftKind.ATTACHMENT, "mending")
    assert a.in_cloud(CloudKind.VOLUME) == [volume]
    server.attributes["is_stubborn"] = False
    await sweep(a)
    assert (await a.ask("POST", f"/operations/{failed['id']}/retry")).status_code == 202
    await a.settle()
    assert a.in_cloud(CloudKind.VOLUME) == []


async def test_what_is_gone_is_told(a: Member) -> None:
    await furnish(a)
    a.stage.cloud.remove(own(a, CloudKind.VOLUME))
    a.stage.cloud.remove(own(a, CloudKind.FLOATING_IP))
    found = await sweep(a)
    assert sorted((row["kind"], row["subject"], row["status"]) for row in found) == [
        ("metered-in-vain", "floating ip web", "open"),
        ("metered-in-vain", "volume data", "open"),
        ("missing", "floating ip web", "open"),
        ("missing", "volume data", "open"),
    ]
    (volume,) = [row for row in found if row["kind"] == "metered-in-vain" and "volume" in row["subject"]]
    assert (volume["evidence"]["item"], "since" in volume["evidence"]) == ("volume", True)


async def test_what_is_metered_is_what_is_there(a: Member) -> None:
    """Of one volume the meter was off, of another the row is gone. None can be mended; both are told till they end."""
    await furnish(a)
    administrator = a.stage.databases.administrator
    (volume,) = await a.stage.rows("SELECT id FROM volumes WHERE tenant_id = %s", a.tenant_id)
    event = b"INSERT INTO usage_events (tenant_id, id, resource_kind, resource_id, resource_name, item, quantity, at)"
    ghost = uuid4()
    close = event + b" VALUES (%s, gen_random_uuid(), 'volumes', %s, %s, 'volume', %s, clock_timestamp())"
    await administrator.execute(close, (a.tenant_id, volume["id"], "data", 0))
    await administrator.execute(close, (a.tenant_id, ghost, "ghost", 3))
    for kind in (DriftKind.METERED_IN_VAIN, DriftKind.UNMETERED):
        await choose(a, kind, Mode.MEND)
    for _ in range(2):
        found = await sweep(a)
        assert [(row["kind"], row["subject"], row["status"]) for row in found] == [
            ("metered-in-vain", "ghost", "open"),
            ("unmetered", "volume data", "open"),
        ]
    await administrator.execute(close, (a.tenant_id, volume["id"], "data", 1))
    await administrator.execute(close, (a.tenant_id, ghost, "ghost", 0))
    assert await sweep(a) == []
    assert {row["status"] for row in await findings(a)} == {"gone"}


async def test_a_server_that_was_stopped_behind_our_back_is_metered_otherwise(a: Member) -> None:
    await furnish(a)
    own(a, CloudKind.SERVER).status = "SHUTOFF"
    (found,) = await sweep(a)
    assert (found["kind"], found["evidence"]["status"]) == ("metered-otherwise", "SHUTOFF")
    assert found["evidence"]["item"].startswith("server.running:")
    own(a, CloudKind.SERVER).status = "ACTIVE"
    assert await sweep(a) == []


async def test_what_is_being_worked_on_is_no_finding(a: Member) -> None:
    network = await a.make_network()
    await a.wish("PATCH", f"/networks/{network['id']}", {"name": "other"})
    a.cloud_object(CloudKind.SUBNET, network["subnets"][0]["id"]).attributes["host_routes"] = ("10.0.0.0/8 via x",)
    assert await sweep(a) == []
    assert await a.settle() == []
    assert await findings(a) == []


async def test_what_ends_by_itself_is_gone_and_not_mended(a: Member) -> None:
    await choose(a, DriftKind.SHARE, Mode.REPORT)
    await a.make_network()
    share(a)
    assert len(await sweep(a)) == 1
    for network in a.in_cloud(CloudKind.NETWORK):
        network.attributes["shares"].clear()
    assert await sweep(a) == []
    (row,) = await findings(a)
    assert row["status"] == "gone"
    assert row["ended_at"] is not None


@pytest.mark.parametrize("error", [CloudUnavailable(), CloudThrottled(retry_after=77), CloudConflict()])
async def test_a_cloud_in_trouble_is_looked_at_again_later(a: Member, error: Any) -> None:
    await a.make_network()
    share(a)
    a.stage.cloud.fail_next("survey", error)
    assert await sweep(a) == []
    row = await a.stage.row(
        "SELECT trouble, attempts, lease, extract(epoch from wake_at - now()) AS wait FROM sweeps WHERE tenant_id = %s",
        a.tenant_id,
    )
    assert row["trouble"] == str(error)
    assert (row["attempts"], row["lease"]) == (1, None)
    assert float(row["wait"]) > (70 if error.retry_after else 0)
    assert {row["kind"] for row in await sweep(a)} == {"share"}
    assert (await a.stage.row("SELECT trouble FROM sweeps WHERE tenant_id = %s", a.tenant_id))["trouble"] is None


async def test_a_change_between_look_and_record_is_no_finding(a: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key pair goes after it has been seen, and its row with it: that is no stranger."""
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    await a.make("/key-pairs", name="mine", public_key=key)
    real, loop = FakeProjectCloud.survey, asyncio.get_running_loop()
    statement = b"DELETE FROM key_pairs WHERE tenant_id = %s"

    def look(cloud: FakeProjectCloud) -> Any:
        seen = real(cloud)
        deletion = a.stage.databases.administrator.execute(statement, (a.tenant_id,))
        asyncio.run_coroutine_threadsafe(deletion, loop).result(30)
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(FakeProjectCloud, "survey", look)
        assert await sweep(a) == []
    assert [row["kind"] for row in await sweep(a)] == ["unknown"]


async def test_a_project_of_another_is_opened_with_its_own_credential(a: Member, b: Member) -> None:
    calls = len(a.stage.cloud.calls)
    await sweep(a)
    assert {call.project_id for call in a.stage.cloud.calls[calls:]} == {a.tenant_id.hex}
    await b.make_network()
    share(b)
    assert await sweep(a) == []
    assert len(await sweep(b)) == 1


async def test_operators_see_and_choose(a: Member, plane: Plane) -> None:
    await a.make_network()
    share(a)
    await sweep(a)
    found = await plane.call("GET", "/findings", status=200)
    (mine,) = [item for item in found["items"] if item["tenant_id"] == str(a.tenant_id)]
    assert (mine["kind"], mine["status"], mine["evidence"]["shared_with"]) == ("share", "mending", "*")
    choices = await plane.call("GET", "/sweeps/choices", status=200)
    assert [item["kind"] for item in choices["items"]] == list(MEANINGS)
    chosen = await plane.call("PUT", "/sweeps/choices/share", status=200, json={"mode": "report"})
    assert {item["kind"]: (item["mode"], item["is_default"]) for item in chosen["items"]}["share"] == ("report", False)
    await plane.call("PUT", "/sweeps/choices/nonsense", status=422, json={"mode": "report"})
    await plane.call("PUT", "/sweeps/choices/share", status=422, json={"mode": "forget"})
    state = await plane.call("POST", "/sweeps", status=202)
    assert state["projects"] >= 1
    page = await plane.send("GET", "/findings")
    assert page.status_code == 200
    assert "Something is shared with other projects" in page.text
    audit = await plane.rows("SELECT action FROM operator_audit WHERE action LIKE 'sweep.%%'")
    assert {row["action"] for row in audit} >= {"sweep.choose", "sweep.run"}
