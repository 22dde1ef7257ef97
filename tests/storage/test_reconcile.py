"""The volume's reconciler on a cloud that fails or lies: a volume is at its own server, or the operation fails."""

from dataclasses import replace
from typing import Any

import pytest

from platforma.clouds.openstack import CloudRefused, CloudUnavailable
from platforma.clouds.openstack.fake import FakeProjectCloud
from platforma.clouds.openstack.resources import CloudAttachment, CloudKind
from tests.api_client import Member


async def attach(a: Member) -> tuple[str, str]:
    """Make a server and a volume, and wish for the volume to be attached; return their ids."""
    server, volume = await a.make_server(), await a.make_volume()
    await a.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    return server["id"], volume["id"]


@pytest.mark.parametrize(
    "method", ["ensure_volume", "get_volume", "attach_volume", "extend_volume", "detach_volume", "delete_volume"]
)
async def test_an_answer_that_is_lost(a: Member, method: str) -> None:
    before = a.stage.objects(a.tenant_id)
    a.stage.cloud.lose_answer(method, CloudUnavailable())
    server_id, volume_id = await attach(a)
    assert await a.settle() == []
    await a.wish("POST", f"/volumes/{volume_id}/extend", {"size_gib": 4})
    assert await a.settle() == []
    assert (await a.get(f"/volumes/{volume_id}"))["attachment"]["status"] == "attached"
    assert len(a.in_cloud(CloudKind.VOLUME)) == 1
    await a.wish("POST", f"/volumes/{volume_id}/detach")
    await a.wish("DELETE", f"/servers/{server_id}")
    assert await a.settle() == []
    await a.wish("DELETE", f"/volumes/{volume_id}")
    assert await a.settle() == []
    after = a.stage.objects(a.tenant_id)
    assert after.get("volume") is None
    assert after.get("server") is before.get("server") is None


async def test_a_volume_that_the_cloud_cannot_make(a: Member) -> None:
    a.stage.cloud.break_next(CloudKind.VOLUME, "No space.")
    volume = await a.wish("POST", "/volumes", {"name": "data", "size_gib": 1})
    (failed,) = await a.settle()
    assert "could not make the volume" in failed["error"]["detail"]
    assert (
        "could not be made" in (await a.problem("POST", f"/volumes/{volume['id']}/extend", {"size_gib": 2}))["detail"]
    )
    broken = a.cloud_object(CloudKind.VOLUME, volume["id"])
    assert (await a.ask("POST", f"/operations/{failed['id']}/retry")).status_code == 202
    assert await a.settle() == []
    assert a.cloud_object(CloudKind.VOLUME, volume["id"]).cloud_id != broken.cloud_id
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    assert await a.settle() == []
    assert a.in_cloud(CloudKind.VOLUME) == []


async def test_a_volume_that_vanished_is_not_replaced_by_an_empty_one(a: Member) -> None:
    volume = await a.make_volume()
    a.stage.cloud.remove(a.cloud_object(CloudKind.VOLUME, volume["id"]))
    await a.wish("PATCH", f"/volumes/{volume['id']}", {"name": "other"})
    (failed,) = await a.settle()
    assert "no longer in the cloud" in failed["error"]["detail"]
    assert a.in_cloud(CloudKind.VOLUME) == []
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    assert len(await a.settle()) == 1
    assert (await a.get("/volumes"))["items"] == []


async def test_an_attachment_to_another_server_is_undone_and_told(a: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud says yes, and puts the volume to another server of the project."""
    other = await a.make_server(name="other")
    elsewhere = a.cloud_object(CloudKind.SERVER, other["id"]).cloud_id
    real = FakeProjectCloud.attach_volume
    redirect = lambda cloud, server, volume: real(cloud, elsewhere, volume)  # noqa: E731
    monkeypatch.setattr(FakeProjectCloud, "attach_volume", redirect)
    _, volume_id = await attach(a)
    (failed,) = await a.settle()
    assert "another server than the one you chose" in failed["error"]["detail"]
    shown = await a.get(f"/volumes/{volume_id}")
    assert (shown["status"], shown["attachment"]["status"]) == ("error", "pending")
    assert a.calls("detach_volume") == 1

    monkeypatch.undo()
    assert (await a.ask("POST", f"/operations/{failed['id']}/retry")).status_code == 202
    assert await a.settle() == []
    assert (await a.get(f"/volumes/{volume_id}"))["attachment"]["server_name"] == "web-1"


async def test_a_volume_at_a_server_of_somebody_else(a: Member, b: Member) -> None:
    """Cinder reports a server that is not the project's: nothing goes on, and the provider is told."""
    theirs = a.stage.cloud.get(
        CloudKind.SERVER,
        b.tenant_id.hex,
        b.cloud_object(CloudKind.SERVER, (await b.make_server())["id"]).cloud_id,
    )
    _, volume_id = await attach(a)
    assert await a.settle() == []
    item = a.cloud_object(CloudKind.VOLUME, volume_id)
    (mine,) = item.attributes["attachments"]
    item.attributes["attachments"] = [replace(mine, server_cloud_id=theirs.cloud_id)]
    await a.wish("PATCH", f"/volumes/{volume_id}", {"name": "x"})
    (failed,) = await a.settle()
    assert failed["action"] == "volume.change"
    assert "Tell your provider" in failed["error"]["detail"] or "another server" in failed["error"]["detail"]


async def test_nova_must_say_so_too(a: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProjectCloud, "list_server_volumes", lambda *_: set())
    _, volume_id = await attach(a)
    (failed,) = await a.settle()
    assert "disagrees with itself" in failed["error"]["detail"]
    assert a.calls("detach_volume") == 1
    assert (await a.get(f"/volumes/{volume_id}"))["attachment"]["status"] == "pending"


async def test_an_attachment_that_the_cloud_drops(a: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nova accepts, fails later, and the volume is available again: it is not tried without end."""
    monkeypatch.setattr(FakeProjectCloud, "attach_volume", lambda *_: None)
    _, volume_id = await attach(a)
    (failed,) = await a.settle()
    assert "could not attach" in failed["error"]["detail"]
    await a.wish("POST", f"/volumes/{volume_id}/detach")
    await a.settle()
    shown = await a.get(f"/volumes/{volume_id}")
    assert (shown["status"], shown["attachment"]) == ("active", None)


async def test_a_volume_attached_behind_our_back_is_detached(a: Member) -> None:
    server, volume = await a.make_server(), await a.make_volume()
    item = a.cloud_object(CloudKind.VOLUME, volume["id"])
    item.status = "in-use"
    cloud_server = a.cloud_object(CloudKind.SERVER, server["id"]).cloud_id
    item.attributes["attachments"] = [CloudAttachment(cloud_server, "/dev/vdz", None, None)]
    await a.wish("PATCH", f"/volumes/{volume['id']}", {"name": "x"})
    assert await a.settle() == []
    assert item.status == "available"


async def test_an_extension_that_the_cloud_refuses_while_attached(a: Member) -> None:
    _, volume_id = await attach(a)
    assert await a.settle() == []
    a.stage.cloud.fail_next("extend_volume", CloudRefused("Volume is in-use."))
    await a.wish("POST", f"/volumes/{volume_id}/extend", {"size_gib": 9})
    (failed,) = await a.settle()
    assert "Detach it, and try again." in failed["error"]["detail"]
    await a.wish("POST", f"/volumes/{volume_id}/detach")
    assert len(await a.settle()) == 1
    shown = await a.get(f"/volumes/{volume_id}")
    assert (shown["attachment"], shown["observed_size_gib"], shown["status"]) == (None, 9, "active")


async def test_two_requests_for_one_volume(a: Member) -> None:
    """The second attachment is refused although the first is only wished for."""
    server_id, volume_id = await attach(a)
    other = await a.wish("POST", "/servers", a.server_body((await a.get("/networks"))["items"][0]["id"], name="other"))
    for target in (server_id, other["id"]):
        problem: dict[str, Any] = await a.problem("POST", f"/volumes/{volume_id}/attach", {"server_id": target})
        assert problem["type"] == "urn:platforma:problem:volume-attached"
