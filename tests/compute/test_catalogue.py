"""The catalogue: what is offered, and nothing else."""

from tests.api_client import Member, unknown_id


async def test_flavors_and_images(a: Member) -> None:
    flavors = (await a.get("/flavors", sort="-disk_gib", name="m1."))["items"]
    assert [flavor["name"] for flavor in flavors if flavor["name"] in ("m1.nano", "m1.small")] == [
        "m1.small",
        "m1.nano",
    ]
    nano = await a.get(f"/flavors/{a.catalogue.nano_id}")
    assert nano == {"id": a.catalogue.nano_id, "name": "m1.nano", "vcpus": 1, "ram_mib": 64, "disk_gib": 1}
    image = await a.get(f"/images/{a.catalogue.image_id}")
    assert image["name"] == "debian-12"
    assert "cloud_id" not in image


async def test_pages(a: Member) -> None:
    first = await a.get("/flavors", limit=1, name="m1.")
    second = await a.get("/flavors", limit=1, name="m1.", cursor=first["next"])
    assert first["items"][0]["name"] < second["items"][0]["name"]


async def test_what_is_not_offered_is_not_there(a: Member) -> None:
    administrator = a.stage.databases.administrator
    change = b"UPDATE flavors SET is_offered = %s WHERE id = %s"
    network = (await a.get("/networks"))["items"][0]
    await administrator.execute(change, (False, a.catalogue.nano_id))
    try:
        names = [flavor["name"] for flavor in (await a.get("/flavors"))["items"]]
        assert "m1.nano" not in names
        hidden = await a.ask("GET", f"/flavors/{a.catalogue.nano_id}")
        unknown = await a.ask("GET", f"/flavors/{unknown_id()}")
        assert (hidden.status_code, hidden.content) == (unknown.status_code, unknown.content)
        assert (await a.problem("POST", "/servers", a.server_body(network["id"])))["status"] == 404
    finally:
        await administrator.execute(change, (True, a.catalogue.nano_id))
    await a.wish("POST", "/servers", a.server_body(network["id"]))


async def test_sorting_by_what_is_no_field(a: Member) -> None:
    assert (await a.problem("GET", "/flavors", sort="cloud_id"))["status"] == 422
