"""Lists on pages: the query in the address, and links that keep its state."""

from typing import Any
from urllib.parse import urlencode

from pydantic import Field, model_validator
from starlette.requests import Request

from platforma.api.lists import ListQuery


class PageListQuery(ListQuery):
    """Mixed into a domain's query: short pages, and filters that were left empty do not filter.

    `class ServersQuery(PageListQuery, ServerQuery)`.
    """

    limit: int = Field(default=25, ge=1, le=200)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value != "" or name not in cls.model_fields}
        return data


class Listing:
    """A list as its template sees it."""

    def __init__(self, request: Request, query: ListQuery, cursor: str | None) -> None:
        self.path = request.url.path
        self.query = query
        self._cursor = cursor

    @property
    def here(self) -> str:
        """The address of this very page of the list."""
        return self._url(self._state())

    @property
    def next(self) -> str | None:
        """The address of the next page, if there is one."""
        return self._url(self._state() | {"cursor": self._cursor}) if self._cursor else None

    @property
    def first(self) -> str:
        """The address of the first page, with the same filters."""
        return self._url({name: value for name, value in self._state().items() if name != "cursor"})

    @property
    def is_later(self) -> bool:
        """Say whether this is not the first page."""
        return self.query.cursor is not None

    @property
    def is_filtered(self) -> bool:
        """Say whether something was searched for, so that an empty list does not mean that there is nothing."""
        return bool(set(self._state()) - {"cursor", "sort", "limit"})

    def sorted_by(self, field: str) -> str:
        """Return `ascending`, `descending` or `none`."""
        if self.query.sort.removeprefix("-") != field:
            return "none"
        return "descending" if self.query.sort.startswith("-") else "ascending"

    def sort_url(self, field: str) -> str:
        """Return the address of the list sorted by a field; the other way round if it is so already."""
        sort = f"-{field}" if self.sorted_by(field) == "ascending" else field
        return self._url({name: value for name, value in self._state().items() if name != "cursor"} | {"sort": sort})

    def _state(self) -> dict[str, Any]:
        return self.query.model_dump(mode="json", exclude_defaults=True, exclude_none=True)

    def _url(self, state: dict[str, Any]) -> str:
        return f"{self.path}?{urlencode(state)}" if state else self.path
