"""Routes of pages: guarded as the API's are, and as strict about what they are sent."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from platforma.api.routes import TenantRoute
from platforma.kit.problems import Invalid

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class PageRoute(TenantRoute):
    """A page for members. It asks for a permission, or the application does not start."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        if kwargs.get("status_code") is None and "POST" in (kwargs.get("methods") or ()):
            kwargs["status_code"] = 303
        kwargs["response_class"] = HTMLResponse
        super().__init__(path, endpoint, **kwargs)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Refuse fields that no form of this route has, where it has no form at all."""
        handle = super().get_route_handler()
        has_form = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            if not has_form and request.method == "POST" and await request.body():
                raise Invalid("This takes no fields.")
            return await handle(request)

        return handle_strictly


class OpenPageRoute(PageRoute):
    """A page for people who have not signed in yet."""

    is_open = True


def shown_on(page: str) -> Callable[[Endpoint], Endpoint]:
    """Name the page (`/networks/{network_id}`) that shows this form: it is shown again when the form is refused."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.form_page = page  # type: ignore[attr-defined]
        return endpoint

    return mark


def form_page_of(endpoint: Callable[..., Any] | None) -> str | None:
    """Return the page that shows an endpoint's form."""
    return getattr(endpoint, "form_page", None)
