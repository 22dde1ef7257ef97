"""The server's reconciler on a cloud that fails: nothing is lost, nothing is doubled, and every end is told."""

from typing import Any
from uuid import UUID

import pytest

from platforma.clouds.openstack import CloudConflict, CloudRefused, CloudUnavailable
from platforma.clouds.openstack.fake import FakeCall
from platforma.clouds.openstack.fake.state import FakeState
from platforma.clouds.openstack.resources import CloudKind
from platforma.compute.reconcile import CONSOLE_CHARACTERS, storable
from tests.api_client import Json, Member
from tests.operations.stage import Crash

CHANGING = ("ensure_", "delete_", "attach_", "detach_", "start_", "stop_", "reboot_", "extend_")
"""How the methods begin that change something in the cloud."""


class DyingWorker:
    """A worker that dies right after the nth change that it has made in the cloud, before it knows of it."""

    def __init__(self, state: FakeState, occurrence: int) -> None:
        self.crashed: str | None = None
        self._state = state
        self._left = occurrence
        self._take = state.take

    def __enter__(self) -> "DyingWorker":
        self._state.take = self._crash  # type: ignore[method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        del self._state.take

    def _crash(self, call: FakeCall, work: Any) -> Any:
        result = self._take(call, work)
        if self.crashed is None and call.project_id is not None and call.method.startswith(CHANGING):
            self._left -= 1
            if self._left == 0:
                self.crashed = call.method
                raise Crash(call.method)
        return result


async def settle(member: Member) -> list[Json]:
    """Let workers finish everything; one that dies is followed by the next."""
    for _ in range(3):
        try:
            return await member.settle()
        except Crash:
            continue
    raise AssertionError("There was more than one crash.")


async def live_a_life(a: Member, network_id: str) -> None:
    """Make a server and a volume, do with them all there is to do, and delete them."""
    server = await a.wish("POST", "/servers", a.server_body(network_id))
    volume = await a.wish("POST", "/volumes", {"name": "data", "size_gib": 1})
    assert await settle(a) == []
    assert (
        len(a.in_cloud(CloudKind.SERVER)) == len(a.in_cloud(CloudKind.PORT)) == len(a.in_cloud(CloudKind.VOLUME)) == 1
    )
    await a.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    assert await settle(a) == []
    await a.wish("POST", f"/volumes/{volume['id']}/extend", {"size_gib": 2})
    await a.wish("POST", f"/servers/{server['id']}/reboot", {})
    assert await settle(a) == []
    assert a.cloud_object(CloudKind.SERVER, server["id"]).attributes["reboots"] == 1
    await a.wish("POST", f"/servers/{server['id']}/stop")
    assert await settle(a) == []
    seen = await a.get(f"/servers/{server['id']}")
    assert (seen["power_state"], seen["volumes"][0]["status"]) == ("stopped", "attached")
    assert a.cloud_object(CloudKind.SERVER, server["id"]).attributes["reboots"] == 1
    await a.wish("DELETE", f"/servers/{server['id']}")
    assert await settle(a) == []
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    assert await settle(a) == []


@pytest.mark.long
async def test_a_worker_that_dies_after_any_change(a: Member) -> None:
    network = await a.make_network()
    before = a.stage.objects(a.tenant_id)
    crashes = []
    for occurrence in range(1, 100):
        with DyingWorker(a.stage.cloud, occurrence) as worker:
            await live_a_life(a, network["id"])
        assert a.stage.objects(a.tenant_id) == before, worker.crashed
        if worker.crashed is None:
            break
        crashes.append(worker.crashed)
    assert {
        "ensure_port",
        "ensure_server",
        "ensure_volume",
        "attach_volume",
        "extend_volume",
        "reboot_server",
        "stop_server",
        "detach_volume",
        "delete_server",
        "delete_port",
        "delete_volume",
    } <= set(crashes)


@pytest.mark.parametrize("method", ["ensure_port", "ensure_server", "get_server", "delete_server", "delete_port"])
async def test_an_answer_that_is_lost(a: Member, method: str) -> None:
    network = await a.make_network()
    before = a.stage.objects(a.tenant_id)
    a.stage.cloud.lose_answer(method, CloudUnavailable())
    server = await a.wish("POST", "/servers", a.server_body(network["id"]))
    assert await a.settle() == []
    assert len(a.in_cloud(CloudKind.SERVER)) == len(a.in_cloud(CloudKind.PORT)) == 1
    await a.wish("DELETE", f"/servers/{server['id']}")
    assert await a.settle() == []
    assert a.stage.objects(a.tenant_id) == before


async def test_a_reboot_whose_answer_is_lost_is_not_repeated(a: Member) -> None:
    server = await a.make_server()
    a.stage.cloud.lose_answer("reboot_server", CloudUnavailable())
    await a.wish("POST", f"/servers/{server['id']}/reboot", {})
    await a.wish("POST", f"/servers/{server['id']}/reboot", {})
    assert await a.settle() == []
    assert a.cloud_object(CloudKind.SERVER, server["id"]).attributes["reboots"] == 1
    await a.wish("POST", f"/servers/{server['id']}/reboot", {})
    assert await a.settle() == []
    assert a.cloud_object(CloudKind.SERVER, server["id"]).attributes["reboots"] == 2


async def test_a_reboot_that_failed_does_not_happen_later(a: Member) -> None:
    server = await a.make_server()
    path = f"/servers/{server['id']}"
    a.stage.cloud.fail_next("reboot_server", CloudRefused("Not today."))
    await a.wish("POST", f"{path}/reboot", {})
    (failed,) = await a.settle()
    assert "Not today." in failed["error"]["detail"]
    await a.wish("PATCH", path, {"name": "other"})
    await a.settle()
    await a.wish("POST", f"{path}/start")
    await a.settle()
    assert "reboots" not in a.cloud_object(CloudKind.SERVER, server["id"]).attributes
    assert (await a.get(path))["status"] == "active"


async def test_a_server_that_the_cloud_cannot_make(a: Member) -> None:
    network = await a.make_network()
    a.stage.cloud.break_next(CloudKind.SERVER, "No valid host was found.")
    server = await a.wish("POST", "/servers", a.server_body(network["id"]))
    (failed,) = await a.settle()
    assert "No valid host was found." in failed["error"]["detail"]
    path = f"/servers/{server['id']}"
    seen = await a.get(path)
    assert (seen["status"], seen["power_state"]) == ("error", None)
    assert "No valid host was found." in seen["status_reason"]
    assert "could not be made" in (await a.problem("POST", f"{path}/start"))["detail"]
    broken = a.cloud_object(CloudKind.SERVER, server["id"])

    assert (await a.ask("POST", f"/operations/{failed['id']}/retry")).status_code == 202
    assert await a.settle() == []
    made = a.cloud_object(CloudKind.SERVER, server["id"])
    assert made.cloud_id != broken.cloud_id
    assert (await a.get(path))["status"] == "active"


async def test_a_server_that_could_not_be_made_can_be_deleted(a: Member) -> None:
    network = await a.make_network()
    before = a.stage.objects(a.tenant_id)
    a.stage.cloud.break_next(CloudKind.SERVER, "No valid host was found.")
    server = await a.wish("POST", "/servers", a.server_body(network["id"]))
    assert len(await a.settle()) == 1
    await a.wish("DELETE", f"/servers/{server['id']}")
    assert [row["action"] for row in await a.settle()] == ["server.create"]
    assert a.stage.objects(a.tenant_id) == before
    assert (await a.get("/servers"))["items"] == []


async def test_a_server_that_vanished_is_not_made_anew(a: Member) -> None:
    server = await a.make_server()
    a.stage.cloud.remove(a.cloud_object(CloudKind.SERVER, server["id"]))
    await a.wish("POST", f"/servers/{server['id']}/start")
    (failed,) = await a.settle()
    assert "no longer in the cloud" in failed["error"]["detail"]
    assert a.in_cloud(CloudKind.SERVER) == []
    await a.wish("DELETE", f"/servers/{server['id']}")
    await a.settle()
    assert (await a.get("/servers"))["items"] == []
    assert a.in_cloud(CloudKind.PORT) == []


async def test_a_server_waits_for_its_network_and_fails_with_it(a: Member) -> None:
    network = await a.wish("POST", "/networks", {"name": "web", "subnets": [{"cidr": "10.7.0.0/24"}]})
    a.stage.cloud.fail_next("ensure_network", CloudRefused("No more segments."))
    await a.wish("POST", "/servers", a.server_body(network["id"]))
    failed = {row["action"]: row["error"]["detail"] for row in await a.settle()}
    assert set(failed) == {"network.create", "server.create"}
    assert "network web" in failed["server.create"]
    assert "No more segments." in failed["server.create"]
    assert a.in_cloud(CloudKind.SERVER) == []


async def test_a_server_in_error_keeps_what_it_holds(a: Member) -> None:
    server = await a.make_server()
    item = a.cloud_object(CloudKind.SERVER, server["id"])
    item.status, item.attributes["fault"] = "ERROR", "The hypervisor is gone."
    path = f"/servers/{server['id']}"
    await a.wish("POST", f"{path}/start")
    (failed,) = await a.settle()
    assert "The hypervisor is gone." in failed["error"]["detail"]
    assert (await a.get(path))["power_state"] == "error"
    assert a.cloud_object(CloudKind.SERVER, server["id"]).cloud_id == item.cloud_id
    await a.wish("POST", f"{path}/reboot", {"hard": True})
    await a.settle()
    assert (await a.get(path))["power_state"] == "running"


async def test_a_server_in_error_is_deleted_with_its_volumes_let_go(a: Member) -> None:
    server, volume = await a.make_server(), await a.make_volume()
    await a.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    assert await a.settle() == []
    a.cloud_object(CloudKind.SERVER, server["id"]).status = "ERROR"
    await a.wish("DELETE", f"/servers/{server['id']}")
    assert await a.settle() == []
    assert a.cloud_object(CloudKind.VOLUME, volume["id"]).status == "available"
    assert (await a.get(f"/volumes/{volume['id']}"))["attachment"] is None


async def test_a_console_that_cannot_be_read(a: Member) -> None:
    path = f"/servers/{(await a.make_server())['id']}"
    await a.wish("POST", f"{path}/stop")
    assert await a.settle() == []
    a.stage.cloud.fail_next("console_output", CloudConflict("It is not running."))
    await a.wish("POST", f"{path}/console-output")
    (failed,) = await a.settle()
    assert "It is not running." in failed["error"]["detail"]
    await a.wish("POST", f"{path}/start")
    assert len(await a.settle()) == 1
    assert a.calls("console_output") == 1


async def test_ports_are_mended(a: Member) -> None:
    server = await a.make_server()
    (port,) = a.in_cloud(CloudKind.PORT)
    groups = port.attributes["groups"]
    port.attributes["groups"] = set()
    await a.wish("PATCH", f"/servers/{server['id']}", {"description": "again"})
    assert await a.settle() == []
    assert port.attributes["groups"] == groups


def test_what_a_console_writes_can_be_stored() -> None:
    assert storable("a\x00b\ud800c") == "ab?c"
    assert len(storable("x" * (CONSOLE_CHARACTERS + 5))) == CONSOLE_CHARACTERS


async def test_interfaces_keep_their_order(a: Member) -> None:
    networks = [await a.make_network(name=name) for name in ("one", "two", "three")]
    wanted = [network["id"] for network in reversed(networks)]
    server = await a.make("/servers", **a.server_body(*wanted))
    assert [network["id"] for network in server["networks"]] == wanted
    ports = a.cloud_object(CloudKind.SERVER, server["id"]).attributes["ports"]
    placed = [a.stage.cloud.objects[port].attributes["network"] for port in ports]
    assert placed == [a.cloud_object(CloudKind.NETWORK, str(UUID(id_))).cloud_id for id_ in wanted]
