"""The application of the pages: mounted beside the API, with an inventory of its own and errors in the brand."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.datastructures import State
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Scope

from platforma.portal.branding import find_portal
from platforma.portal.errors import install_page_errors
from platforma.portal.static_files import VersionedFiles

API_ROOT = "/api/"


class Pages(FastAPI):
    """The pages. `openapi()` is not served: it is the inventory of page routes, with their permissions and forms."""

    def __init__(self, state: State, routers: Sequence[APIRouter]) -> None:
        super().__init__(
            title="Portal",
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            redirect_slashes=False,
            dependencies=[Depends(find_portal)],
            generate_unique_id_function=lambda route: f"page_{route.name}",
        )
        self.state = state
        install_page_errors(self)
        for router in routers:
            self.include_router(router)
        self.mount("/static", VersionedFiles(), name="static")

    def build_middleware_stack(self) -> ASGIApp:
        """Handle every error here, the unforeseen ones too: the application around this one speaks problem+json."""
        handlers: dict[Any, Any] = dict(self.exception_handlers)
        return ExceptionMiddleware(AsyncExitStackMiddleware(self.router), handlers=handlers)


class PagesMount(Mount):
    """Everything that is not the API's: an unknown path below `/api/` is answered by the API."""

    def __init__(self, pages: Pages) -> None:
        super().__init__("/", app=pages, name="pages")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leave the API's paths alone."""
        if scope["type"] != "http" or scope["path"].startswith(API_ROOT):
            return Match.NONE, {}
        return super().matches(scope)


def create_pages(app: FastAPI, routers: Sequence[APIRouter]) -> Pages:
    """Make the pages from the domains' routers and mount them in the portal's application, after the API."""
    pages = Pages(app.state, routers)
    app.state.pages = pages
    app.state.openapi = app.openapi
    app.router.routes.append(PagesMount(pages))
    return pages
