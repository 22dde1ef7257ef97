"""The inventory: every operation of a running application, and every place in it where an id can stand.

Taken from the OpenAPI document that the application generates, so that nobody has to keep a list: a new route
is in the inventory by existing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class IdPlace:
    """A place where an id can stand: in the path, the query or the body (`path` is the way to it there)."""

    location: str
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that says whose id is meant: the last one, in the singular."""
        named = [part for part in self.path if part != "*"]
        last = named[-1]
        return last.removesuffix("s") if self.path[-1] == "*" else last

    def __str__(self) -> str:
        return f"{self.location}.{'.'.join(self.path)}"


@dataclass(frozen=True)
class ApiOperation:
    """One operation of the application."""

    id: str
    method: str
    path: str
    permission: str | None
    media_type: str | None
    body_schema: Mapping[str, Any] | None
    query: tuple[Mapping[str, Any], ...]
    components: Mapping[str, Any] = field(repr=False)

    @property
    def path_names(self) -> list[str]:
        """The names of the path's parameters, in order."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def id_places(self) -> list[IdPlace]:
        """Return every place where an id can stand."""
        places = [IdPlace("path", (name,)) for name in self.path_names]
        places += [IdPlace("query", (item["name"],)) for item in self.query if self._holds_id(item["schema"])]
        if self.body_schema is not None:
            places += [IdPlace("body", path) for path in self._ids_in(self.body_schema, ())]
        return places

    def required_places(self) -> list[IdPlace]:
        """Return the places that must have an id for the request to be valid: the path's, and the body's required."""
        body = self.example_body()
        return [
            place
            for place in self.id_places()
            if place.location == "path" or (place.location == "body" and _is_in(body, place.path))
        ]

    def example_body(self) -> dict[str, Any] | None:
        """Return a body made from the schema's examples, and of what is required."""
        if self.body_schema is None:
            return None
        body = self.example(self.body_schema)
        return body if isinstance(body, dict) else {}

    def _ids_in(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        schema = self.resolve(schema)
        if schema.get("format") == "uuid":
            yield path
        for option in schema.get("anyOf", ()):
            yield from self._ids_in(option, path)
        if "items" in schema:
            yield from self._ids_in(schema["items"], (*path, "*"))
        for name, inner in schema.get("properties", {}).items():
            yield from self._ids_in(inner, (*path, name))

    def _holds_id(self, schema: Mapping[str, Any]) -> bool:
        return any(True for _ in self._ids_in(schema, ("value",)))

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a `$ref`."""
        while "$ref" in schema:
            schema = self.components["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def example(self, schema: Mapping[str, Any]) -> Any:
        """Return a value that fits a schema: its example if it has one, else the least there is."""
        for described in (schema, self.resolve(schema)):
            for key in ("examples", "enum"):
                if described.get(key):
                    return described[key][0]
            if "const" in described:
                return described["const"]
        schema = self.resolve(schema)
        if "anyOf" in schema:
            return self.example(schema["anyOf"][0])
        match schema.get("type"):
            case "object":
                required = set(schema.get("required", ()))
                properties = schema.get("properties", {}).items()
                return {name: self.example(inner) for name, inner in properties if name in required}
            case "array":
                return [self.example(schema["items"])] if schema.get("minItems") else []
            case "integer":
                return int(schema.get("minimum", 1))
            case "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case _:
                return "example" + "x" * max(0, schema.get("minLength", 0) - len("example"))


def _is_in(body: Any, path: tuple[str, ...]) -> bool:
    if not path:
        return True
    if path[0] == "*":
        return isinstance(body, list) and bool(body) and _is_in(body[0], path[1:])
    return isinstance(body, dict) and path[0] in body and _is_in(body[path[0]], path[1:])


def list_operations(document: Mapping[str, Any]) -> list[ApiOperation]:
    """Return the operations of an OpenAPI document."""
    operations = []
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operations.append(_read(document, path, method, item[method]))
    return operations


def _read(document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any]) -> ApiOperation:
    content = item.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), None)
    return ApiOperation(
        id=item["operationId"],
        method=method.upper(),
        path=path,
        permission=item.get("x-permission"),
        media_type=media_type,
        body_schema=content[media_type]["schema"] if media_type else None,
        query=tuple(part for part in item.get("parameters", ()) if part["in"] == "query"),
        components=document.get("components", {}),
    )
