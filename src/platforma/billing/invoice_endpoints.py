"""`/api/v1/invoices`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from platforma.api.csv_files import csv_response
from platforma.api.lists import Page
from platforma.api.routes import TenantRoute
from platforma.billing import service
from platforma.billing.documents import render_pdf
from platforma.billing.endpoints import Reads, Writes
from platforma.billing.invoice_models import Invoice
from platforma.billing.schemas import CostLineOut, InvoiceDetail, InvoiceOut, InvoiceQuery, InvoiceRequestOut
from platforma.billing.views import line_out

invoices = APIRouter(prefix="/invoices", tags=["Invoices"], route_class=TenantRoute)

_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}}}
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


@invoices.get("")
async def list_invoices(query: Annotated[InvoiceQuery, Query()], reading: Reads) -> Page[InvoiceOut]:
    """Invoices and credit notes, the newest first."""
    return await service.list_invoices(reading.session, query)


@invoices.post("", status_code=202)
async def request_invoice(writing: Writes) -> InvoiceRequestOut:
    """Ask for an invoice of what has come up since the last one, up to a quarter of an hour ago."""
    account = await service.request_invoice(writing.session, writing.principal)
    return InvoiceRequestOut.model_validate(
        {
            "requested_at": account.invoice_requested_at,
            "billed_until": account.billed_until,
            "trouble": account.trouble,
        }
    )


@invoices.get("/{invoice_id}")
async def get_invoice(invoice_id: UUID, reading: Reads) -> InvoiceDetail:
    """One, with its lines."""
    invoice = await service.get_invoice(reading.session, invoice_id)
    lines = await service.list_lines(reading.session, invoice_id)
    return invoice_detail(invoice, [line_out(line) for line in lines])


@invoices.get("/{invoice_id}/pdf", response_class=Response, responses=_PDF)
async def download_invoice(invoice_id: UUID, reading: Reads) -> Response:
    """One, as a PDF."""
    invoice = await service.get_invoice(reading.session, invoice_id)
    lines = await service.list_lines(reading.session, invoice_id)
    corrects = await service.find_corrected_number(reading.session, invoice)
    content = await run_in_threadpool(render_pdf, invoice, lines, corrects)
    headers = {"content-disposition": f'attachment; filename="{invoice.number}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


@invoices.get("/{invoice_id}/lines.csv", response_class=Response, responses=_CSV)
async def export_invoice_lines(invoice_id: UUID, reading: Reads) -> Response:
    """The lines of one, as a table."""
    invoice = await service.get_invoice(reading.session, invoice_id)
    lines = await service.list_lines(reading.session, invoice_id)
    rows = ({**line_out(line).model_dump(), "currency": invoice.currency} for line in lines)
    return csv_response(f"{invoice.number}.csv", (*CostLineOut.model_fields, "currency"), rows)


def invoice_detail(invoice: Invoice, lines: list[CostLineOut]) -> InvoiceDetail:
    """Describe an invoice with its lines."""
    fields = {name: getattr(invoice, name) for name in InvoiceDetail.model_fields if name != "lines"}
    return InvoiceDetail.model_validate({**fields, "lines": lines})
