"""Static files, under an address that changes when any of them does, so that browsers may keep them for good."""

import hashlib
import os
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIRECTORY = Path(__file__).parent / "static"


@cache
def static_version() -> str:
    """Return a digest of all static files and their names."""
    digest = hashlib.sha256()
    for path in sorted(DIRECTORY.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(DIRECTORY)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def static_url(name: str) -> str:
    """Return the address of a static file; raises FileNotFoundError."""
    if not (DIRECTORY / name).is_file():
        raise FileNotFoundError(name)
    return f"/static/{static_version()}/{name}"


class VersionedFiles(StaticFiles):
    """Serves `/static/{version}/...`. A page of another version may still ask for its files: they are not kept."""

    def __init__(self) -> None:
        super().__init__(directory=DIRECTORY)

    def get_path(self, scope: Scope) -> str:
        """Take the version off the path."""
        version, _, path = super().get_path(scope).partition(os.sep)
        scope["is_current"] = version == static_version()
        return path

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        seconds = "31536000, immutable" if scope["is_current"] else "60"
        response.headers["cache-control"] = f"public, max-age={seconds}"
        response.headers["vary"] = "accept-encoding"
        return response
