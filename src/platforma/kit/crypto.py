"""Sealing of secrets at rest with AES-256-GCM (NIST SP 800-38D), and of random tokens."""

import base64
import binascii
import hashlib
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


class UnsealError(Exception):
    """The sealed secret belongs to somebody else, was altered, or its key is not in the key ring."""


class KeyRing:
    """Seals with the first key and opens with any; a key is added at the front to rotate.

    The associated data binds a secret to its owner: bytes moved to another tenant's row do not open.
    """

    def __init__(self, keys: list[str]) -> None:
        """Take keys as URL-safe base64 of 32 bytes each; raises ValueError for anything else."""
        if not keys:
            raise ValueError("The key ring is empty: it needs at least one key.")
        decoded = [_decode_key(key) for key in keys]
        self._first = decoded[0]
        self._by_id = {_key_id(key): key for key in decoded}

    def seal(self, secret: bytes, *, owner: bytes) -> bytes:
        """Encrypt for one owner. Layout: 4 bytes key id, 12 bytes nonce, ciphertext with its 16-byte tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return _key_id(self._first) + nonce + AESGCM(self._first).encrypt(nonce, secret, owner)

    def open(self, sealed: bytes, *, owner: bytes) -> bytes:
        """Decrypt what was sealed for this owner; raises UnsealError otherwise."""
        key = self._by_id.get(sealed[:_KEY_ID_BYTES])
        if key is None:
            raise UnsealError("No key of the key ring has sealed this.")
        nonce = sealed[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
        try:
            return AESGCM(key).decrypt(nonce, sealed[_KEY_ID_BYTES + _NONCE_BYTES :], owner)
        except InvalidTag as error:
            raise UnsealError("This was sealed for another owner, or altered.") from error


def new_key() -> str:
    """Make a key for a key ring or a pepper: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode()


def new_token() -> str:
    """Make a bearer token of 256 random bits, in 43 URL-safe ASCII characters."""
    return secrets.token_urlsafe(32)


def _decode_key(key: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key.encode())
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("A key is not URL-safe base64.") from error
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"A key has {len(raw)} bytes instead of {_KEY_BYTES}.")
    return raw


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"platforma key id" + key).digest()[:_KEY_ID_BYTES]
