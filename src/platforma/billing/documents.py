"""Invoices and credit notes as PDF: the same document always gives the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import as_file, files
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from platforma.billing.costs import hours_of
from platforma.billing.invoice_models import DocumentKind, Invoice, InvoiceLine
from platforma.billing.money import in_words

MOST_LINES = 400
"""With more, a document sums up by price; the CSV has every line."""
_FONTS = ("inter-latin-wght-normal.woff2", "inter-latin-ext-wght-normal.woff2")
_WIDTHS = (88.0, 34.0, 30.0, 28.0)
_TITLES = {DocumentKind.INVOICE: "Invoice", DocumentKind.CREDIT_NOTE: "Credit note"}


@dataclass(frozen=True)
class Row:
    """A line as it is printed."""

    what: str
    quantity: str
    price: str
    amount: str


def render_pdf(invoice: Invoice, lines: Sequence[InvoiceLine], corrects: str | None = None) -> bytes:
    """Return a document as PDF; `corrects` is the number of the invoice that a credit note is for."""
    pdf = _Document()
    pdf.set_creation_date(invoice.issued_at)
    pdf.set_title(f"{_TITLES[DocumentKind(invoice.kind)]} {invoice.number}")
    pdf.set_lang("en")
    pdf.add_page()
    _head(pdf, invoice, corrects)
    _table(pdf, _rows(invoice, lines))
    _sums(pdf, invoice)
    return bytes(pdf.output())


class _Document(FPDF):
    def __init__(self) -> None:
        super().__init__(format="A4")
        self.set_margins(15, 15)
        self.set_auto_page_break(True, margin=20)
        directory = files("platforma.portal") / "static" / "vendor" / "inter"
        for family, name in zip(("inter", "inter-ext"), _FONTS, strict=True):
            with as_file(directory / name) as path:
                self.add_font(family, "", path)
        self.set_fallback_fonts(["inter-ext"], exact_match=False)
        self.set_font("inter", size=9)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("inter", size=7)
        self.cell(0, 5, f"{self.title} · {self.page_no()}", align="C")

    def line_of(self, text: str, *, size: float = 9, align: str = "L") -> None:
        """Print a line, cut where the page ends."""
        self.set_font("inter", size=size)
        self.cell(0, size * 0.55, _fitting(self, text, self.epw), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _head(pdf: _Document, invoice: Invoice, corrects: str | None) -> None:
    pdf.line_of(" · ".join(_address(invoice.seller)), size=7)
    pdf.ln(6)
    for line in _address(invoice.buyer):
        pdf.line_of(line, size=10)
    pdf.ln(8)
    pdf.line_of(f"{_TITLES[DocumentKind(invoice.kind)]} {invoice.number}", size=16)
    pdf.ln(2)
    pdf.line_of(f"Issued {_day(invoice.issued_at)}")
    pdf.line_of(f"For {_moment(invoice.begins)} to {_moment(invoice.ends)} UTC")
    if corrects is not None:
        pdf.line_of(f"Takes back of invoice {corrects}")
    if invoice.reason:
        pdf.line_of(f"Reason: {invoice.reason}")
    if invoice.due_at is not None:
        pdf.line_of(f"To be paid by {_day(invoice.due_at)}")
    pdf.ln(5)


def _table(pdf: _Document, rows: Sequence[Row]) -> None:
    _row(pdf, Row("What", "Quantity", "Price", "Amount"))
    pdf.line(pdf.l_margin, pdf.get_y(), pdf.l_margin + pdf.epw, pdf.get_y())
    for row in rows:
        _row(pdf, row)
    pdf.line(pdf.l_margin, pdf.get_y() + 1, pdf.l_margin + pdf.epw, pdf.get_y() + 1)
    pdf.ln(3)


def _row(pdf: _Document, row: Row) -> None:
    pdf.set_font("inter", size=8)
    for text, width, align in zip(
        (row.what, row.quantity, row.price, row.amount), _WIDTHS, ("L", "R", "R", "R"), strict=True
    ):
        pdf.cell(width, 5, _fitting(pdf, text, width), align=align)
    pdf.ln(5)


def _sums(pdf: _Document, invoice: Invoice) -> None:
    tax = f"{invoice.tax_label} {invoice.tax_percent.normalize():f} %"
    for what, amount in (("Net", invoice.net), (tax, invoice.tax), ("Total", invoice.total)):
        _row(pdf, Row("", "", what, in_words(amount, invoice.currency)))
    pdf.ln(4)
    for text in (invoice.tax_note, invoice.seller.get("footer")):
        if text:
            pdf.set_font("inter", size=8)
            pdf.multi_cell(0, 4, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _rows(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[Row]:
    if len(lines) > MOST_LINES:
        return _summed_rows(invoice, lines)
    return [
        Row(
            f"{line.label}: {line.resource_name}",
            _quantity(line.unit_microseconds - line.free_unit_microseconds),
            _price(line, invoice.currency),
            in_words(line.amount, invoice.currency),
        )
        for line in lines
    ]


def _summed_rows(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[Row]:
    """Make one row of all lines at one price."""
    grouped: dict[tuple[Any, ...], list[InvoiceLine]] = {}
    for line in lines:
        grouped.setdefault((line.label, line.unit, line.price, line.discount_percent), []).append(line)
    return [
        Row(
            f"{of_price[0].label}: {len(of_price)} resources",
            _quantity(sum(line.unit_microseconds - line.free_unit_microseconds for line in of_price)),
            _price(of_price[0], invoice.currency),
            in_words(sum(line.amount for line in of_price), invoice.currency),
        )
        for of_price in grouped.values()
    ]


def _quantity(unit_microseconds: int) -> str:
    return f"{hours_of(unit_microseconds).quantize(Decimal('0.01')):,} unit h" if unit_microseconds else ""


def _price(line: InvoiceLine, currency: str) -> str:
    if not line.unit:
        return ""
    off = f" -{line.discount_percent.normalize():f} %" if line.discount_percent else ""
    return f"{line.price.normalize():f} {currency}/{line.unit}{off}"


def _address(party: dict[str, Any]) -> list[str]:
    city = f"{party.get('postal_code') or ''} {party.get('city') or ''}".strip()
    vat = f"VAT {party['vat_number']}" if party.get("vat_number") else None
    parts = (party["company"], party.get("line1"), party.get("line2"), city, party.get("country"), vat)
    return [part for part in parts if part]


def _fitting(pdf: FPDF, text: str, width: float) -> str:
    """Cut a text to the width that there is, less the cell's own margins."""
    if pdf.get_string_width(text) <= width - 2 * pdf.c_margin:
        return text
    while text and pdf.get_string_width(text + "…") > width - 2 * pdf.c_margin:
        text = text[:-1]
    return text + "…"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
