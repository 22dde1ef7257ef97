"""Portals' brands: colours, words and pictures. Every change is in the operators' audit log."""

import asyncio
import hashlib
from uuid import UUID

from sqlalchemy import select

from platforma.database.database import PlatformSession
from platforma.kit.problems import Invalid
from platforma.operator.errors import NoBrandFile
from platforma.operator.portals import audit, get_portal_in
from platforma.operator.routes import Acting
from platforma.operator.schemas import BrandChange, BrandFileOut, BrandOut, ContrastOut
from platforma.portal.branding import Brand, ImageKind
from platforma.portal.images import clean_image
from platforma.portal.models import BrandFile, Portal


async def get_brand(acting: Acting, portal_id: UUID) -> tuple[Portal, Brand, list[BrandFile]]:
    """Return a portal, its brand and its pictures; raises UnknownPortal."""
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id)
        files = await _files(session, portal_id)
        digests = {file.kind: file.digest for file in files}
        return portal, Brand.read({**portal.brand, "files": digests}), files


async def describe_brand(acting: Acting, portal_id: UUID) -> BrandOut:
    """Return what a portal's brand is; raises UnknownPortal."""
    _portal, brand, files = await get_brand(acting, portal_id)
    return BrandOut(
        accent=str(brand.accent),
        accent_dark=str(brand.accent_dark) if brand.accent_dark is not None else None,
        welcome=brand.welcome,
        support_email=brand.support_email,
        support_url=brand.support_url,
        terms_url=brand.terms_url,
        privacy_url=brand.privacy_url,
        mail_sender=brand.mail_sender,
        mail_footer=brand.mail_footer,
        files=[BrandFileOut(kind=ImageKind(f.kind), media_type=f.media_type, digest=f.digest) for f in files],
        contrasts=[
            ContrastOut(where=each.where, wanted=str(each.wanted), used=str(each.used), ratio=round(each.ratio, 2))
            for each in brand.contrasts()
        ],
    )


async def change_brand(acting: Acting, portal_id: UUID, change: BrandChange) -> None:
    """Change what is set; what is set to None is taken back. Raises UnknownPortal or Invalid."""
    changes = change.model_dump(exclude_unset=True)
    if not changes:
        raise Invalid("Name at least one field to change.")
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        brand = {**portal.brand, **changes}
        portal.brand = {name: value for name, value in brand.items() if value is not None}
        session.add(audit(acting, "brand.change", portal, fields=sorted(changes)))


async def get_brand_file(acting: Acting, portal_id: UUID, kind: ImageKind) -> BrandFile:
    """Return a picture; raises NoBrandFile."""
    async with acting.database.platform() as session:
        found = await session.get(BrandFile, (portal_id, kind.value))
    if found is None:
        raise NoBrandFile
    return found


async def set_brand_file(acting: Acting, portal_id: UUID, kind: ImageKind, sent: bytes) -> None:
    """Make a picture anew from what was sent, and show it from now on; raises UnknownPortal or BadImage."""
    made = await asyncio.to_thread(clean_image, sent, kind)
    digest = hashlib.sha256(made.content).hexdigest()
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        row = await session.get(BrandFile, (portal_id, kind.value))
        if row is None:
            row = BrandFile(portal_id=portal_id, kind=kind.value)
            session.add(row)
        row.digest, row.media_type, row.content = digest, made.media_type, made.content
        session.add(audit(acting, "brand.file", portal, kind=kind.value, digest=digest))


async def remove_brand_file(acting: Acting, portal_id: UUID, kind: ImageKind) -> None:
    """Show a picture no more; raises UnknownPortal or NoBrandFile."""
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        row = await session.get(BrandFile, (portal_id, kind.value))
        if row is None:
            raise NoBrandFile
        await session.delete(row)
        session.add(audit(acting, "brand.file", portal, kind=kind.value, digest=None))


async def _files(session: PlatformSession, portal_id: UUID) -> list[BrandFile]:
    statement = select(BrandFile).where(BrandFile.portal_id == portal_id).order_by(BrandFile.kind)
    return list((await session.scalars(statement)).all())
