"""Public SSH keys: what may be imported, how it is written down, and how a new pair is made."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

LONGEST_KEY = 16_384
"""Characters of a public key that are looked at: an RSA key of 16384 bits has about 2800."""

_LONGEST_COMMENT = 255
_SMALLEST_RSA_BITS = 2048
_LARGEST_RSA_BITS = 16_384
_KINDS = frozenset({"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"})


@dataclass(frozen=True)
class PublicKey:
    """A public key as one line of `authorized_keys`, and its fingerprint as `ssh-keygen -l` prints it."""

    line: str
    fingerprint: str


def parse_public_key(text: str) -> PublicKey:
    """Read one public key in OpenSSH's format (RFC 4253, 6.6); raises ValueError with a sentence for the person.

    Ed25519, ECDSA on a NIST curve, or RSA of 2048 bits or more. What is returned is written anew from the key
    itself, so that nothing else is smuggled into `authorized_keys`: no options, no second line, no trailing bytes.
    """
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise ValueError(
            "This is a PRIVATE key. It has now left your computer: make a new pair, and send the line in the file "
            "whose name ends in .pub."
        )
    if any(not character.isprintable() for character in text):
        raise ValueError("A public key is one line.")
    kind, blob, comment = [*text.split(" ", 2), "", ""][:3]
    if kind.endswith("-cert-v01@openssh.com"):
        raise ValueError("This is a certificate. Send the public key that it was made for.")
    if kind not in _KINDS:
        raise ValueError(
            "This is no public key in OpenSSH's format: a line that begins with ssh-ed25519, ecdsa-sha2-nistp256, "
            "-nistp384, -nistp521 or ssh-rsa."
        )
    line = _read_key(kind, blob)
    comment = comment.strip()
    if len(comment) > _LONGEST_COMMENT:
        raise ValueError(f"The comment at the end of the key is longer than {_LONGEST_COMMENT} characters.")
    return PublicKey(f"{line} {comment}".strip(), _fingerprint(line))


def make_key_pair(comment: str) -> tuple[PublicKey, str]:
    """Make an Ed25519 pair; return the public key, and the private one in OpenSSH's PEM, unencrypted."""
    private = Ed25519PrivateKey.generate()
    line = _line(private.public_key())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")
    return PublicKey(f"{line} {comment}".strip(), _fingerprint(line)), pem


def _read_key(kind: str, blob: str) -> str:
    """Return kind and blob of a key, written anew."""
    try:
        base64.b64decode(blob.encode("ascii"), validate=True)
        key = load_ssh_public_key(f"{kind} {blob}".encode("ascii"))
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as error:
        raise ValueError("The key is damaged: copy the whole line of the .pub file.") from error
    if isinstance(key, RSAPublicKey):
        if not _SMALLEST_RSA_BITS <= key.key_size <= _LARGEST_RSA_BITS:
            raise ValueError(f"This RSA key has {key.key_size} bits; {_SMALLEST_RSA_BITS} or more are needed.")
        exponent = key.public_numbers().e
        if exponent < 3 or exponent % 2 == 0:
            raise ValueError("This RSA key has an exponent that is not safe.")
    elif not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        raise ValueError("Keys of this kind are not accepted.")
    line = _line(key)
    if line != f"{kind} {blob}":
        raise ValueError("The key is damaged: copy the whole line of the .pub file.")
    return line


def _line(key: RSAPublicKey | Ed25519PublicKey | EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def _fingerprint(line: str) -> str:
    digest = hashlib.sha256(base64.b64decode(line.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")
