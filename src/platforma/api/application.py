"""A FastAPI application behind the edge, with problem+json throughout."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import compile_path
from starlette.types import ASGIApp, Lifespan

from platforma.api.edge import Edge
from platforma.api.problems import ProblemDocument, install_problem_handlers
from platforma.settings import Settings


class Application(FastAPI):
    """The edge is outermost, so that its checks and headers also hold for the answer to a crash."""

    def __init__(
        self,
        settings: Settings,
        *,
        cookie: str,
        takes_files: bool = False,
        lifespan: Lifespan[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._takes_files = takes_files
        self._settings = settings
        self._cookie = cookie
        self._methods: list[tuple[re.Pattern[str], list[str]]] | None = None
        super().__init__(
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            lifespan=lifespan,
            generate_unique_id_function=lambda route: route.name,
            **kwargs,
        )
        install_problem_handlers(self, self.allowed_methods)

    def build_middleware_stack(self) -> ASGIApp:
        """Put the edge around everything."""
        return Edge(
            super().build_middleware_stack(),
            maximum_body_bytes=self._settings.maximum_body_bytes,
            trusted_proxies=self._settings.trusted_proxies,
            hsts_seconds=self._settings.hsts_seconds,
            takes_files=self._takes_files,
            cookie=self._cookie,
            most_at_once=self._settings.database.pool_size,
        )

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the session cookie as its security scheme."""
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                openapi_version=self.openapi_version,
            )
            components = document.setdefault("components", {})
            schemas = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            components.setdefault("schemas", {}).update(schemas.pop("$defs", {}) | {"ProblemDocument": schemas})
            schemes = components.setdefault("securitySchemes", {})
            schemes["session"] = {"type": "apiKey", "in": "cookie", "name": self._cookie}
            self.openapi_schema = document
        return self.openapi_schema

    def allowed_methods(self, path: str) -> list[str]:
        """Return every method that a path answers to, for the Allow header (RFC 9110, 15.5.6)."""
        if self._methods is None:
            self._methods = [
                (compile_path(template)[0], [method.upper() for method in item])
                for template, item in self.openapi()["paths"].items()
            ]
        return sorted({method for pattern, methods in self._methods if pattern.match(path) for method in methods})
