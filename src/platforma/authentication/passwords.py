"""Passwords: stretched here, checked in the database, known to neither.

The portal process peppers the password (HMAC-SHA256 under a key that the database never sees) and stretches it
with argon2id; the database keeps only the SHA-256 of the result. So a full copy of the database cracks nothing
without the pepper, and somebody who speaks SQL as the portal cannot start a session without the password:
`gate.sign_in` wants the stretched key itself.
Source: OWASP Password Storage Cheat Sheet (argon2id, peppering); RFC 9106.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from argon2.low_level import Type, hash_secret_raw

from platforma.authentication.guessing import describe_guess
from platforma.kit.problems import Invalid

SALT_BYTES = 16
MINIMUM_LENGTH = 12
MAXIMUM_LENGTH = 256

_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LANES = 1
_KEY_BYTES = 32
_AT_ONCE = 4
"""Stretchings at the same time in one process; each takes 19 MiB and tens of milliseconds of a core."""


@dataclass(frozen=True)
class NewPassword:
    """What the gate keeps of a password."""

    salt: bytes
    verifier: bytes


class PasswordStretcher:
    """Turns passwords into keys, a few at a time, off the event loop."""

    def __init__(self, pepper: str) -> None:
        """Take the pepper as URL-safe base64 of at least 32 bytes."""
        self._pepper = base64.urlsafe_b64decode(pepper)
        if len(self._pepper) < 32:
            raise ValueError("The pepper needs at least 32 bytes.")
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def stretch(self, password: str, salt: bytes) -> bytes:
        """Return the 32-byte key of a password. Takes the same time whatever the password."""
        async with self._turns:
            return await asyncio.to_thread(self._stretch, password, salt)

    async def make(self, password: str) -> NewPassword:
        """Return what the gate keeps of a new password; raises Invalid if it is none to have."""
        check_password(password)
        salt = os.urandom(SALT_BYTES)
        return NewPassword(salt, hashlib.sha256(await self.stretch(password, salt)).digest())

    def _stretch(self, password: str, salt: bytes) -> bytes:
        normal = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
        peppered = hmac.new(self._pepper, normal, hashlib.sha256).digest()
        return hash_secret_raw(
            peppered,
            salt,
            time_cost=_PASSES,
            memory_cost=_MEMORY_KIB,
            parallelism=_LANES,
            hash_len=_KEY_BYTES,
            type=Type.ID,
        )


def check_password(password: str, *, own: Iterable[str] = (), field: str = "password") -> None:
    """Raise Invalid unless a new password is long enough (OWASP ASVS 6.2.1) and not easily guessed (6.2.4).

    `own` is what everybody knows of its owner; `field` is where the password was given.
    """
    wrong = describe_guess(password[:MAXIMUM_LENGTH], own)
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        wrong = f"A password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters."
    if wrong is not None:
        raise Invalid(errors=[{"where": f"body.{field}", "detail": f"{wrong} A sentence is a good one."}])


def normalize_email(email: str) -> str:
    """Return the form in which sign-in names are stored and compared."""
    return unicodedata.normalize("NFKC", email).strip().lower()
