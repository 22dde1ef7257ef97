"""Certificates of erasure as PDF."""

import json
from importlib.resources import as_file, files
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from platforma.storage.erasures import HOW_TO_CHECK, Certificate

_FONTS = ("inter-latin-wght-normal.woff2", "inter-latin-ext-wght-normal.woff2")


def render_certificate(certificate: Certificate) -> bytes:
    """Return a certificate as PDF."""
    erasure = certificate.erasure
    pdf = _Document()
    pdf.set_creation_date(certificate.made_at)
    pdf.set_title(f"Certificate of erasure {erasure.id}")
    pdf.set_lang("en")
    pdf.add_page()
    pdf.paragraph("Certificate of erasure", size=18)
    pdf.paragraph(certificate.statement, size=11)
    pdf.ln(3)
    for what, value in (
        ("Erasure", erasure.id),
        ("Subject", f"{erasure.subject_kind} {erasure.subject_id}"),
        ("In the cloud", erasure.cloud_id or "never made"),
        ("Size", f"{erasure.size_gib} GiB"),
        ("State", erasure.state),
        ("Asked for by", erasure.requested_by),
        ("Records of the organisation", f"{certificate.chain_length}, {_whole(certificate)}"),
        ("Hash of the last one", certificate.chain_head),
        ("Made", certificate.made_at.isoformat(timespec="seconds")),
    ):
        pdf.paragraph(f"{what}: {value}")
    for record in certificate.records:
        pdf.ln(3)
        pdf.paragraph(f"{record.sequence}. {record.event}, {record.at.isoformat(timespec='seconds')}", size=10)
        pdf.paragraph(_in_words(json.loads(record.content)), size=8)
        pdf.paragraph(f"Hash {record.hash}", size=7)
    pdf.ln(4)
    pdf.paragraph(HOW_TO_CHECK, size=7)
    return bytes(pdf.output())


def _whole(certificate: Certificate) -> str:
    return "each fits to the one before it" if certificate.chain_is_whole else "AND THEY DO NOT FIT TOGETHER"


def _in_words(content: dict[str, Any]) -> str:
    sample = content.get("sample")
    words = [f"By {content['done_by']}"]
    if "bytes_overwritten" in content:
        words.append(f"{content['bytes_overwritten']:,} bytes overwritten")
    if sample:
        words.append(
            f"{sample['read']:,} of {sample['blocks']:,} blocks of {sample['block_bytes']:,} bytes read back: with a "
            f"confidence of {sample['confidence']}, less than {sample['share']} of them holds anything"
        )
    if "result" in content:
        words.append(f"found {content['result']}")
    return "; ".join(words) + "."


class _Document(FPDF):
    def __init__(self) -> None:
        super().__init__(format="A4")
        self.set_margins(15, 15)
        self.set_auto_page_break(True, margin=18)
        directory = files("platforma.portal") / "static" / "vendor" / "inter"
        for family, name in zip(("inter", "inter-ext"), _FONTS, strict=True):
            with as_file(directory / name) as path:
                self.add_font(family, "", path)
        self.set_fallback_fonts(["inter-ext"], exact_match=False)

    def paragraph(self, text: str, *, size: float = 9) -> None:
        """Print lines."""
        self.set_font("inter", size=size)
        self.multi_cell(0, size * 0.55, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
