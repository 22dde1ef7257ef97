"""`/api/v1/erasures`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from platforma.api.lists import Page
from platforma.api.routes import TenantRoute
from platforma.storage import erasures as service
from platforma.storage.certificates import render_certificate
from platforma.storage.endpoints import Reads
from platforma.storage.erasure_models import Erasure, ErasureRecord
from platforma.storage.schemas import CertificateOut, ErasureDetail, ErasureOut, ErasureQuery, ErasureRecordOut

erasures = APIRouter(prefix="/erasures", tags=["Erasures"], route_class=TenantRoute)

_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}}}


@erasures.get("")
async def list_erasures(query: Annotated[ErasureQuery, Query()], reading: Reads) -> Page[ErasureOut]:
    """Erasures of what was deleted, the newest first."""
    rows, cursor = await service.list_erasures(reading.session, query)
    return Page(items=[ErasureOut.model_validate(row) for row in rows], next=cursor)


@erasures.get("/{erasure_id}")
async def get_erasure(erasure_id: UUID, reading: Reads) -> ErasureDetail:
    """One, with its records."""
    return erasure_detail(*await service.get_erasure(reading.session, erasure_id))


@erasures.get("/{erasure_id}/certificate")
async def get_certificate(erasure_id: UUID, response: Response, reading: Reads) -> CertificateOut:
    """The certificate of one, as JSON to keep."""
    certificate = await service.get_certificate(reading.session, erasure_id)
    response.headers["content-disposition"] = f'attachment; filename="erasure-{erasure_id}.json"'
    return CertificateOut(
        statement=certificate.statement,
        erasure=erasure_detail(certificate.erasure, list(certificate.records)),
        chain_length=certificate.chain_length,
        chain_head=certificate.chain_head,
        chain_is_whole=certificate.chain_is_whole,
        how_to_check=service.HOW_TO_CHECK,
        made_at=certificate.made_at,
    )


@erasures.get("/{erasure_id}/certificate.pdf", response_class=Response, responses=_PDF)
async def download_certificate(erasure_id: UUID, reading: Reads) -> Response:
    """The certificate of one, as PDF."""
    certificate = await service.get_certificate(reading.session, erasure_id)
    content = await run_in_threadpool(render_certificate, certificate)
    headers = {"content-disposition": f'attachment; filename="erasure-{erasure_id}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


def erasure_detail(erasure: Erasure, records: list[ErasureRecord]) -> ErasureDetail:
    """Describe an erasure with its records."""
    fields = {name: getattr(erasure, name) for name in ErasureOut.model_fields}
    return ErasureDetail(**fields, records=[ErasureRecordOut.model_validate(record) for record in records])
