"""The catalogue: the cloud's public flavours and images, copied for every tenant to choose from."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import structlog
from sqlalchemy import func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from platforma.clouds.openstack.errors import CloudError
from platforma.clouds.openstack.resources import CloudFlavor, CloudImage
from platforma.compute.models import Flavor, Image
from platforma.database.database import Database, PlatformSession
from platforma.kit.ids import new_id
from platforma.operations.cloud_access import CloudAccess

logger = structlog.get_logger(__name__)

EVERY_SECONDS = 600.0
RETRY_SECONDS = 15.0


async def keep_catalogue(database: Database, access: CloudAccess, executor: Executor) -> None:
    """Copy the catalogue now and from time to time, until cancelled. While cloud or database is away, try again."""
    while True:
        delay = EVERY_SECONDS
        try:
            await sync_catalogue(database, access, executor)
        except (CloudError, DBAPIError) as error:
            logger.warning("the catalogue could not be copied", error=type(error).__name__)
            delay = RETRY_SECONDS
        await asyncio.sleep(delay)


async def sync_catalogue(database: Database, access: CloudAccess, executor: Executor | None = None) -> None:
    """Copy the public flavours and images into their tables; what the cloud has no more is not offered any more.

    For the provisioner. Raises CloudError, and then changes nothing. Rows are never deleted, because servers
    refer to them.
    """
    flavors, images = await asyncio.get_running_loop().run_in_executor(executor, _fetch, access)
    async with database.platform() as session:
        await _copy(session, Flavor, [_flavor_values(flavor) for flavor in flavors])
        await _copy(session, Image, [_image_values(image) for image in images])


def _fetch(access: CloudAccess) -> tuple[list[CloudFlavor], list[CloudImage]]:
    administration = access.open_administration()
    return administration.list_flavors(), administration.list_public_images()


async def _copy(session: PlatformSession, model: type[Flavor] | type[Image], rows: Sequence[Mapping[str, Any]]) -> None:
    for values in rows:
        changes = {**values, "is_offered": True}
        statement = insert(model).values(id=new_id(), **changes)
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["cloud_id"],
                set_={**changes, "updated_at": func.now()},
                where=or_(*[getattr(model, name).is_distinct_from(value) for name, value in changes.items()]),
            )
        )
    present = [values["cloud_id"] for values in rows]
    await session.execute(
        update(model)
        .where(model.is_offered, model.cloud_id.not_in(present))
        .values(is_offered=False)
        .execution_options(synchronize_session=False)
    )


def _flavor_values(flavor: CloudFlavor) -> dict[str, Any]:
    return {
        "cloud_id": flavor.cloud_id,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram_mib": flavor.ram_mib,
        "disk_gib": flavor.disk_gib,
    }


def _image_values(image: CloudImage) -> dict[str, Any]:
    return {
        "cloud_id": image.cloud_id,
        "name": image.name,
        "minimum_disk_gib": image.minimum_disk_gib,
        "minimum_ram_mib": image.minimum_ram_mib,
    }
