"""Signed reports, which anybody with the public key can verify without us.

The signature is Ed25519 (RFC 8032) over the report as canonical JSON: keys sorted, no spaces, UTF-8. There are no
fractions in it, which have more than one form.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

ALGORITHM = "Ed25519"


class ReportError(Exception):
    """A report or key is none, or a report is not what was signed; the sentence says what."""


def new_signing_key() -> tuple[bytes, bytes]:
    """Return a new private key, and its public key, as PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign_report(report: Mapping[str, Any], private_key: bytes) -> dict[str, Any]:
    """Return a report with its signature; raises ReportError for a key that is none of Ed25519."""
    try:
        key = load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError) as error:
        raise ReportError("The private key cannot be read: it has to be PEM, without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ReportError(f"The private key is not one of {ALGORITHM}.")
    value = base64.b64encode(key.sign(canonical(report))).decode()
    return {"report": dict(report), "signature": {"algorithm": ALGORITHM, "value": value}}


def open_report(document: Any, public_key: bytes) -> dict[str, Any]:
    """Return what was signed; raises ReportError unless it was, with this key, exactly so."""
    try:
        key = load_pem_public_key(public_key)
    except ValueError as error:
        raise ReportError("The public key cannot be read: it has to be PEM.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ReportError(f"The public key is not one of {ALGORITHM}.")
    try:
        report, signature = document["report"], document["signature"]
        if set(document) != {"report", "signature"} or signature["algorithm"] != ALGORITHM:
            raise ReportError("This is no signed report.")
        key.verify(base64.b64decode(signature["value"], validate=True), canonical(report))
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError("This is no signed report.") from error
    except InvalidSignature as error:
        raise ReportError("The signature is not that of this report, or of another key.") from error
    return dict(report)


def canonical(report: Any) -> bytes:
    """Return the bytes that are signed; raises ReportError for what has no one form, such as fractions."""
    _check(report)
    return json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check(value: Any) -> None:
    if isinstance(value, float):
        raise ReportError("A report has no fractions: they have more than one form.")
    if isinstance(value, Mapping):
        for each in value.values():
            _check(each)
    elif isinstance(value, list):
        for each in value:
            _check(each)
