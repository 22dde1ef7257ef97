"""The catalogue follows the cloud."""

from typing import Any

import pytest

from platforma.clouds.openstack.errors import CloudUnavailable
from platforma.clouds.openstack.fake import administration
from platforma.clouds.openstack.resources import CloudFlavor, CloudImage
from platforma.tenants.catalogue import sync_catalogue
from tests.database.server import TestDatabase
from tests.operations.stage import Stage


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A catalogue for this test alone."""
    return fresh_database


async def _offered(stage: Stage, table: str) -> dict[str, bool]:
    return {row["name"]: row["is_offered"] for row in await stage.rows(f"SELECT name, is_offered FROM {table}")}


async def test_what_comes_goes_and_changes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    small = CloudFlavor("f-1", "small", 1, 512, 1)
    large = CloudFlavor("f-2", "large", 8, 16384, 100)
    image = CloudImage("i-1", "debian", 2, 256)
    await _sync(stage, monkeypatch, [small, large], [image])
    assert await _offered(stage, "flavors") == {"small": True, "large": True}
    assert await _offered(stage, "images") == {"debian": True}
    ids = {row["id"] for row in await stage.rows("SELECT id FROM flavors")}
    await _sync(stage, monkeypatch, [CloudFlavor("f-1", "tiny", 1, 256, 1)], [])
    assert await _offered(stage, "flavors") == {"tiny": True, "large": False}
    assert await _offered(stage, "images") == {"debian": False}
    await _sync(stage, monkeypatch, [small, large], [image])
    assert await _offered(stage, "flavors") == {"small": True, "large": True}
    assert {row["id"] for row in await stage.rows("SELECT id FROM flavors")} == ids


async def test_a_cloud_that_is_away_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await _sync(stage, monkeypatch, [CloudFlavor("f-1", "small", 1, 512, 1)], [])
    stage.cloud.fail_next("list_public_images", CloudUnavailable())
    with pytest.raises(CloudUnavailable):
        await _sync(stage, monkeypatch, [], [])
    assert await _offered(stage, "flavors") == {"small": True}


async def _sync(stage: Stage, monkeypatch: pytest.MonkeyPatch, flavors: list[Any], images: list[Any]) -> None:
    monkeypatch.setattr(administration, "FLAVORS", flavors)
    monkeypatch.setattr(administration, "IMAGES", images)
    await sync_catalogue(stage.databases.provisioner, stage.access)
