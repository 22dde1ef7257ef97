"""Routes of tenants' APIs: each says which permission it asks for, or it does not exist.

An endpoint takes one of two contexts, and with it the only session there is:

    @router.get("/{network_id}")
    async def get_network(network_id: UUID, reading: Annotated[Reading, may_read(Permission.NETWORKS_READ)]) -> ...

The transaction is committed when the endpoint has returned and before the answer is sent.
"""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from platforma.api.problems import describe
from platforma.authentication.cookies import SESSION_COOKIE, read_cookie
from platforma.authentication.permissions import ON_HOLD, Permission
from platforma.authentication.principals import Principal, SessionBinding
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.tenant_session import ReadSession, WriteSession
from platforma.kit.problems import Invalid, NotSignedIn


class UnguardedRouteError(TypeError):
    """A route asks for no permission and is not declared open."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A request that reads: who asks, and the tenant's rows."""

    principal: Principal
    session: ReadSession


@dataclass(frozen=True, slots=True)
class Writing:
    """A request that changes: who asks, and the tenant's rows."""

    principal: Principal
    session: WriteSession


def database_of(request: Request) -> Database:
    """Return the portal's database."""
    database: Database = request.app.state.database
    return database


def session_binding(request: Request) -> SessionBinding:
    """Return the binding of the request's session; raises NotSignedIn if it shows no token."""
    token = read_cookie(request.scope["headers"], SESSION_COOKIE)
    if token is None:
        raise NotSignedIn
    return SessionBinding(token, request.state.host)


def may(permission: Permission) -> Any:
    """Admit the request's member without keeping a transaction open: for endpoints that call the gate themselves,
    which would otherwise wait for the rows that their own request has locked."""

    async def admit(request: Request) -> Principal:
        binding = session_binding(request)
        try:
            async with database_of(request).read(binding):
                principal = binding.require_principal()
                principal.require(permission, is_deletion=_deletes(request.method, request.scope["route"].path))
        except NotBoundError:
            raise NotSignedIn from None
        return principal

    return _guard(admit, permission)


def may_read(permission: Permission) -> Any:
    """Open the tenant of the request's session for reading, if the member's role has the permission."""

    async def open_reading(request: Request) -> AsyncIterator[Reading]:
        binding = session_binding(request)
        try:
            async with database_of(request).read(binding) as session:
                principal = binding.require_principal()
                principal.require(permission, is_deletion=_deletes(request.method, request.scope["route"].path))
                yield Reading(principal, session)
        except NotBoundError:
            raise NotSignedIn from None

    return _guard(open_reading, permission)


def may_write(permission: Permission) -> Any:
    """Open the tenant of the request's session for writing, if the member's role has the permission."""

    async def open_writing(request: Request) -> AsyncIterator[Writing]:
        binding = session_binding(request)
        try:
            async with database_of(request).write(binding) as session:
                principal = binding.require_principal()
                principal.require(permission, is_deletion=_deletes(request.method, request.scope["route"].path))
                yield Writing(principal, session)
        except NotBoundError:
            raise NotSignedIn from None

    return _guard(open_writing, permission)


def _deletes(method: str, path: str) -> bool:
    """Say whether a route makes less of what a tenant has: an API's DELETE, or a page that asks for one."""
    return method == "DELETE" or path.endswith("/delete")


def _guard(dependency: Callable[..., Any], permission: Permission) -> Any:
    dependency.permission = permission  # type: ignore[attr-defined]
    return Depends(dependency, scope="function")


def permission_of(dependant: Dependant) -> Permission | None:
    """Return the permission that a route asks for."""
    for needed in dependant.dependencies:
        found = getattr(needed.call, "permission", None) or permission_of(needed)
        if isinstance(found, Permission):
            return found
    return None


class TenantRoute(APIRoute):
    """A route that is guarded by a permission, refuses unknown query parameters, and documents its problems."""

    is_open = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        has_body = bool(set(kwargs.get("methods") or ()) & {"POST", "PUT", "PATCH", "DELETE"})
        statuses = [422, 503] + ([] if self.is_open else [401, 403, 429]) + ([404] if "{" in path else [])
        statuses += [400, 404, 409, 413, 415, 429] if has_body else []
        statuses += [403] if self.is_open and has_body else []
        kwargs["responses"] = describe(*sorted(set(statuses))) | (kwargs.get("responses") or {})
        super().__init__(path, endpoint, **kwargs)
        permission = permission_of(self.dependant)
        is_deletion = any(_deletes(method, path) for method in kwargs.get("methods") or ())
        if permission is not None and permission not in ON_HOLD and not is_deletion:
            kwargs["responses"] = describe(402) | kwargs["responses"]
            self.responses = kwargs["responses"]
        if permission is None and not self.is_open:
            raise UnguardedRouteError(
                f"{path} asks for no permission. Take a context from may_read() or may_write(), or use OpenRoute."
            )
        extra = dict(self.openapi_extra or {})
        extra["x-permission"] = permission.value if permission else None
        if not self.is_open:
            extra["security"] = [{"session": []}]
        self.openapi_extra = extra

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Refuse query parameters that the endpoint does not declare, and a body where it takes none."""
        handle = super().get_route_handler()
        known = _query_names(self.dependant)
        takes_body = self.is_open or self.body_field is not None  # an open one may read the body itself

        async def handle_strictly(request: Request) -> Response:
            unknown = sorted(set(request.query_params) - known)
            if unknown:
                raise Invalid(errors=[{"where": f"query.{name}", "detail": "Unknown parameter."} for name in unknown])
            if request.headers.get("content-type", "").startswith("application/json"):
                _check_keys(await request.body(), takes_body=takes_body)
            return await handle(request)

        return handle_strictly


class OpenRoute(TenantRoute):
    """A route for people who have not signed in yet."""

    is_open = True


def _check_keys(body: bytes, *, takes_body: bool) -> None:
    """Refuse an object that names a key twice: parsers differ in which of the two they take (RFC 8259, section 4).

    Where no body is taken, one that says something is refused: whoever sends it believes that it is obeyed. What is no
    JSON at all is refused where it is read.
    """
    try:
        said = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return
    if said and not takes_body:
        raise Invalid(errors=[{"where": "body", "detail": "Nothing is taken here but an empty body."}])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Invalid(errors=[{"where": f"body.{key}"[:200], "detail": "This key is there twice."}])
        found[key] = value
    return found


def _query_names(dependant: Dependant) -> frozenset[str]:
    names: set[str] = set()
    for needed in dependant.dependencies:
        names |= _query_names(needed)
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            names |= {field.alias or name for name, field in annotation.model_fields.items()}
        else:
            names.add(parameter.alias)
    return frozenset(names)
