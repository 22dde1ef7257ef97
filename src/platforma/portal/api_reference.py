"""The reference of the API, made from its OpenAPI document and served at every portal under the portal's address."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.portal.branding import find_portal
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute
from platforma.settings import Settings

router = APIRouter(tags=["API"], route_class=PageRoute)

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an endpoint, or a field of its body."""

    name: str
    place: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Endpoint:
    """One call of the API."""

    method: str
    path: str
    summary: str
    description: str
    permission: str | None
    parameters: tuple[Parameter, ...]
    example: Any

    def curl(self, base: str) -> str:
        """Return the call as a command line."""
        verb = "" if self.method == "GET" else f" -X {self.method}"
        lines = [f'curl -H "cookie: $session"{verb} {base}{self.path}']
        if self.example is not None:
            lines.append("  -H 'content-type: application/json'")
            lines.append(f"  -d '{json.dumps(self.example)}'")
        return " \\\n".join(lines)


@dataclass
class Group:
    """The endpoints of one tag."""

    title: str
    endpoints: list[Endpoint] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The group's place on the page."""
        return "api-" + re.sub(r"[^a-z0-9]+", "-", self.title.lower())


@dataclass(frozen=True)
class Reference:
    """All of it."""

    description: str
    groups: tuple[Group, ...]


@router.get("/api-reference")
async def show_api_reference(
    request: Request, reading: Annotated[Reading, may_read(Permission.TENANT_READ)]
) -> Response:
    """The API, with examples under this portal's own address."""
    state = request.app.state
    if not hasattr(state, "api_reference"):
        state.api_reference = read_document(state.openapi())
    portal = await find_portal(request)
    settings: Settings = state.settings
    base = f"{settings.public_scheme}://{portal.canonical_host}"
    if settings.public_port is not None:
        base += f":{settings.public_port}"
    return render(request, "portal/api_reference.html", reading, reference=state.api_reference, base=base)


def read_document(document: Mapping[str, Any]) -> Reference:
    """Read the reference out of an OpenAPI document."""
    groups: dict[str, Group] = {}
    reader = _Reader(document.get("components", {}).get("schemas", {}))
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                title = (item[method].get("tags") or ["Other"])[0]
                groups.setdefault(title, Group(title)).endpoints.append(reader.endpoint(path, method, item[method]))
    description = " ".join(document["info"].get("description", "").replace("`", "").split())
    return Reference(description, tuple(groups.values()))


@dataclass(frozen=True)
class _Reader:
    schemas: Mapping[str, Any]

    def endpoint(self, path: str, method: str, item: Mapping[str, Any]) -> Endpoint:
        words = item.get("description", "").partition("\n\n")
        body = item.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        parameters = [self._parameter(part) for part in item.get("parameters", ()) if part["in"] != "cookie"]
        return Endpoint(
            method=method.upper(),
            path=path,
            summary=(words[0] or item.get("summary", "")).replace("`", ""),
            description=words[2].replace("`", ""),
            permission=item.get("x-permission"),
            parameters=(*parameters, *(self._fields(body) if body else ())),
            example=self._example(body) if body else None,
        )

    def _parameter(self, part: Mapping[str, Any]) -> Parameter:
        schema = part["schema"]
        words = part.get("description") or schema.get("description", "")
        return Parameter(part["name"], part["in"], self._type(schema), bool(part.get("required")), words)

    def _fields(self, body: Mapping[str, Any]) -> Iterator[Parameter]:
        schema = self._resolve(body)
        required = set(schema.get("required", ()))
        for name, inner in schema.get("properties", {}).items():
            yield Parameter(name, "body", self._type(inner), name in required, inner.get("description", ""))

    def _type(self, schema: Mapping[str, Any]) -> str:
        named = self._resolve(schema)
        if "anyOf" in named:
            return " or ".join(dict.fromkeys(self._type(option) for option in named["anyOf"]))
        if "enum" in named:
            return " | ".join(str(value) for value in named["enum"])
        if "const" in named:
            return str(named["const"])
        if named.get("type") == "array":
            return f"list of {self._type(named.get('items', {}))}"
        return str(named.get("format") or named.get("type") or "any")

    def _example(self, schema: Mapping[str, Any]) -> Any:
        named = self._resolve(schema)
        for described in (schema, named):
            if described.get("examples"):
                return described["examples"][0]
        if "enum" in named:
            return named["enum"][0]
        if "anyOf" in named:
            return self._example(named["anyOf"][0])
        match named.get("type"):
            case "object":
                required = set(named.get("required", ()))
                inner = named.get("properties", {})
                return {name: self._example(part) for name, part in inner.items() if name in required}
            case "array":
                return [self._example(named.get("items", {}))]
            case "integer" | "number":
                return named.get("default", named.get("minimum", 1))
            case "boolean":
                return named.get("default", True)
            case _:
                return "00000000-0000-7000-8000-000000000000" if named.get("format") == "uuid" else "example"

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]]
        return schema
