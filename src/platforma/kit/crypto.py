"""Sealing of secrets at rest with AES-256-GCM (NIST SP 800-38D), sealing to somebody's public key with HPKE (RFC 9180),
and random tokens.
"""

import base64
import binascii
import hashlib
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_BYTES = 4
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


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

    @property
    def public_key(self) -> bytes:
        """The key with which others seal to this key ring (`seal_to`), and cannot open again."""
        return public_key_of(_derive_private_key(self._first))

    def open_sealed_to(self, sealed: bytes, *, owner: bytes) -> bytes:
        """Decrypt what was sealed to a public key of this ring for this owner; raises UnsealError otherwise."""
        for key in self._by_id.values():
            try:
                return open_sealed_to(_derive_private_key(key), sealed, owner=owner)
            except UnsealError:
                continue
        raise UnsealError("This was sealed to another key ring or for another owner, or altered.")


def new_private_key() -> bytes:
    """Make a private key of X25519, for one recipient of `seal_to`."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key_of(private_key: bytes) -> bytes:
    """Return the public key to which others seal."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def seal_to(public_key: bytes, secret: bytes, *, owner: bytes) -> bytes:
    """Encrypt to whoever has the private key, for one owner: not even the sender can open it again."""
    return _HPKE.encrypt(secret, X25519PublicKey.from_public_bytes(public_key), owner)


def open_sealed_to(private_key: bytes, sealed: bytes, *, owner: bytes) -> bytes:
    """Decrypt what was sealed to this key for this owner; raises UnsealError otherwise."""
    try:
        return _HPKE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), owner)
    except (InvalidTag, ValueError) as error:
        raise UnsealError("This was sealed to another key or for another owner, or altered.") from error


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


def _derive_private_key(key: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"platforma key to seal to").derive(key)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"platforma key id" + key).digest()[:_KEY_ID_BYTES]
