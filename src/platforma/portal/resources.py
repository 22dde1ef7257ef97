"""Pages that every resource has alike: edit its name, and confirm that it may be lost."""

from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field

from platforma.api.fields import Description, Name
from platforma.api.routes import Reading
from platforma.portal.forms import FormInput
from platforma.portal.rendering import render

STATUSES = ("active", "pending", "creating", "updating", "deleting", "error")
"""What lists of resources can be filtered by."""


class EditForm(FormInput):
    """A name and a description."""

    name: Annotated[Name, Field(examples=["backend"])]
    description: Description = ""


def show_edit(request: Request, reading: Reading, row: Any, *, kind: str, at: str) -> Response:
    """Return the page that edits the name and description of a resource, whose own page is `at`."""
    return render(request, "resource/edit.html", reading, row=row, kind=kind, at=at)


def show_deletion(
    request: Request,
    reading: Reading,
    row: Any,
    *,
    kind: str,
    at: str,
    consequences: tuple[str, ...] = (),
    is_name_asked: bool = False,
) -> Response:
    """Return the page that asks whether a resource shall go, and says what goes with it."""
    return render(
        request,
        "resource/delete.html",
        reading,
        row=row,
        kind=kind,
        at=at,
        consequences=consequences,
        is_name_asked=is_name_asked,
    )
