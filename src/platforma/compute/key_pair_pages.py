"""Pages of key pairs."""

import base64
import binascii
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from platforma.api.fields import Name
from platforma.api.lists import ResourceQuery
from platforma.authentication.cookies import clear_cookie, set_cookie
from platforma.compute import key_pairs as service
from platforma.compute.endpoints import Reads, Writes
from platforma.compute.models import KeyPair
from platforma.compute.pages import Plans
from platforma.compute.public_keys import LONGEST_KEY, parse_public_key
from platforma.compute.schemas import KeyPairCreate
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, show_deletion
from platforma.portal.routes import PageRoute, shown_on

key_pairs = APIRouter(prefix="/key-pairs", tags=["Key pairs"], route_class=PageRoute)

KEY_COOKIE = "__Host-platforma-private-key"
"""Carries a new private key from the answer that made it to the page that shows it, in the browser of who asked."""


_EXAMPLE_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK8HpMiAafEqNi0guzFzHF2TdL8FfcS2szp9k3mqDa8F ada"
PublicKeyLine = Annotated[
    str, StringConstraints(max_length=LONGEST_KEY), AfterValidator(lambda text: parse_public_key(text).line)
]


class KeyPairsQuery(PageListQuery, ResourceQuery):
    """The address of a list of key pairs."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class ImportForm(FormInput):
    """A public key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "laptop", "public_key": _EXAMPLE_KEY}]})

    name: Name
    public_key: PublicKeyLine


class GenerationForm(FormInput):
    """The name of a pair that is to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "laptop"}]})

    name: Name


@key_pairs.get("")
async def show_key_pairs(request: Request, query: Annotated[KeyPairsQuery, Query()], reading: Reads) -> Response:
    """The list of key pairs."""
    rows, cursor = await service.list_key_pairs(reading.session, query)
    return render(
        request,
        "compute/key_pairs.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, [row.id for row in rows]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@key_pairs.get("/new")
async def show_new_key_pair(request: Request, reading: Plans) -> Response:
    """The forms for a key pair."""
    return render(request, "compute/new_key_pair.html", reading)


@key_pairs.post("/import")
@shown_on("/key-pairs/new")
async def import_key_pair(form: Annotated[ImportForm, Form()], writing: Writes) -> Response:
    """Import a public key."""
    wanted = KeyPairCreate(name=form.name, public_key=form.public_key)
    await service.create_key_pair(writing.session, writing.principal, wanted)
    return see_other("/key-pairs")


@key_pairs.post("/generate")
@shown_on("/key-pairs/new")
async def generate_key_pair(form: Annotated[GenerationForm, Form()], writing: Writes) -> Response:
    """Make a pair, and send on to the page that shows its private half once. To reload that page makes no second."""
    wanted = KeyPairCreate(name=form.name)
    key_pair, _operation, private_key = await service.create_key_pair(writing.session, writing.principal, wanted)
    carried = base64.urlsafe_b64encode((private_key or "").encode()).decode().rstrip("=")
    response = see_other(f"/key-pairs/{key_pair.id}/private-key")
    response.headers.append("set-cookie", f"{set_cookie(KEY_COOKIE, f'{key_pair.id}.{carried}')}; Max-Age=120")
    return response


@key_pairs.get("/{key_pair_id}/private-key")
async def show_private_key(key_pair_id: UUID, request: Request, reading: Plans) -> Response:
    """The private half of a pair that this browser has just had made, once: it is in a cookie that ends here."""
    key_pair = await get_resource(reading.session, KeyPair, key_pair_id)
    owner, _dot, carried = request.cookies.get(KEY_COOKIE, "").partition(".")
    private_key = _decode_key(carried) if owner == str(key_pair_id) else None
    response = render(
        request,
        "compute/private_key.html",
        reading,
        key_pair=key_pair,
        private_key=private_key,
        download=f"data:application/x-pem-file,{quote(private_key or '')}",
    )
    if private_key is not None:
        response.headers.append("set-cookie", clear_cookie(KEY_COOKIE))
    return response


def _decode_key(carried: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(carried + "=" * (-len(carried) % 4)).decode() or None
    except (binascii.Error, ValueError):
        return None


@key_pairs.get("/{key_pair_id}")
async def show_key_pair(key_pair_id: UUID, request: Request, reading: Reads) -> Response:
    """A key pair."""
    key_pair = await get_resource(reading.session, KeyPair, key_pair_id)
    operation = await find_latest_operation(reading.session, key_pair_id)
    return render(request, "compute/key_pair.html", reading, key_pair=key_pair, operation=operation)


@key_pairs.get("/{key_pair_id}/delete")
async def show_delete_key_pair(key_pair_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a key pair shall go."""
    key_pair = await get_resource(reading.session, KeyPair, key_pair_id)
    lost = ("Servers that were made with it keep the key. New ones cannot be given it any more.",)
    at = f"/key-pairs/{key_pair_id}"
    return show_deletion(request, reading, key_pair, kind="key pair", at=at, consequences=lost)


@key_pairs.post("/{key_pair_id}/delete")
@shown_on("/key-pairs/{key_pair_id}/delete")
async def delete_key_pair(key_pair_id: UUID, writing: Writes) -> Response:
    """Delete a key pair."""
    await service.delete_key_pair(writing.session, writing.principal, key_pair_id)
    return see_other("/key-pairs", notice="deletion-requested")
