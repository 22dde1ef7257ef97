"""The catalogue: the flavours and images that are offered to every tenant."""

from uuid import UUID

from sqlalchemy import ColumnElement

from platforma.api.lists import list_page
from platforma.compute.models import Flavor, Image
from platforma.compute.schemas import CatalogueQuery
from platforma.database.tenant_session import ReadSession, TenantSession
from platforma.kit.problems import NotFound

_SORTABLE_FLAVOR = {
    "name": Flavor.name,
    "vcpus": Flavor.vcpus,
    "ram_mib": Flavor.ram_mib,
    "disk_gib": Flavor.disk_gib,
    "created_at": Flavor.created_at,
}
_SORTABLE_IMAGE = {"name": Image.name, "created_at": Image.created_at}


async def list_flavors(session: ReadSession, query: CatalogueQuery) -> tuple[list[Flavor], str | None]:
    """Return a page of the flavours that are offered."""
    where: list[ColumnElement[bool]] = [Flavor.is_offered.is_(True)]
    if query.name is not None:
        where.append(Flavor.name.icontains(query.name, autoescape=True))
    return await list_page(session, Flavor, query, sortable=_SORTABLE_FLAVOR, where=where)


async def get_flavor(session: TenantSession, flavor_id: UUID) -> Flavor:
    """Return a flavour that is offered; raises NotFound."""
    flavor: Flavor | None = await session.get(Flavor, flavor_id)
    if flavor is None or not flavor.is_offered:
        raise NotFound
    return flavor


async def list_images(session: ReadSession, query: CatalogueQuery) -> tuple[list[Image], str | None]:
    """Return a page of the images that are offered."""
    where: list[ColumnElement[bool]] = [Image.is_offered.is_(True)]
    if query.name is not None:
        where.append(Image.name.icontains(query.name, autoescape=True))
    return await list_page(session, Image, query, sortable=_SORTABLE_IMAGE, where=where)


async def get_image(session: TenantSession, image_id: UUID) -> Image:
    """Return an image that is offered; raises NotFound."""
    image: Image | None = await session.get(Image, image_id)
    if image is None or not image.is_offered:
        raise NotFound
    return image
