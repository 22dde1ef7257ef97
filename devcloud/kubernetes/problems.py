"""What an API server answers when it does not do what it was asked: a Status, in the words of the real one."""

from __future__ import annotations

from typing import Any


class ApiProblem(Exception):
    """An answer of 400 and above. `details` is as in `Status.details`."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}

    def status(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return status(self.code, self.reason, self.message, **self.details)


def status(code: int, reason: str | None, message: str | None, **details: Any) -> dict[str, Any]:
    """Return a Status."""
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    body["status"] = "Failure" if code >= 400 else "Success"
    if message:
        body["message"] = message
    if reason:
        body["reason"] = reason
    if details:
        body["details"] = details
    return body | {"code": code}


def qualified(resource: str, group: str) -> str:
    """Return a resource as messages name it: `networkpolicies.networking.k8s.io`, or `pods`."""
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, group: str, name: str) -> ApiProblem:
    """There is no such object."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return ApiProblem(404, "NotFound", message, name=name, kind=resource, group=group)


def already_exists(resource: str, group: str, name: str) -> ApiProblem:
    """There is such an object already."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    return ApiProblem(409, "AlreadyExists", message, name=name, kind=resource, group=group)


def conflict(resource: str, group: str, name: str, why: str) -> ApiProblem:
    """Somebody else was faster, or the object is in no state for this."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return ApiProblem(409, "Conflict", message, name=name, kind=resource, group=group)


def forbidden(resource: str, group: str, name: str, why: str) -> ApiProblem:
    """It may not be done."""
    named = f' "{name}"' if name else ""
    message = f"{qualified(resource, group)}{named} is forbidden: {why}"
    return ApiProblem(403, "Forbidden", message, name=name, kind=resource, group=group)


def invalid(kind: str, group: str, name: str, field: str, why: str) -> ApiProblem:
    """The object is not as objects of its kind have to be."""
    message = f'{qualified(kind, group)} "{name}" is invalid: {field}: {why}'
    causes = [{"reason": "FieldValueInvalid", "message": why, "field": field}]
    return ApiProblem(422, "Invalid", message, name=name, kind=kind, group=group, causes=causes)


def bad_request(message: str) -> ApiProblem:
    """The request makes no sense."""
    return ApiProblem(400, "BadRequest", message)


def unauthorized() -> ApiProblem:
    """The token is not known, or not any more."""
    return ApiProblem(401, "Unauthorized", "Unauthorized")


def gone(message: str) -> ApiProblem:
    """The resource version is too old to go on from."""
    return ApiProblem(410, "Expired", message)


def no_such_method(method: str) -> ApiProblem:
    """The resource does not know the verb."""
    return ApiProblem(
        405, "MethodNotAllowed", f"the server does not allow this method on the requested resource: {method}"
    )


def no_such_resource() -> ApiProblem:
    """The path leads to nothing that this server has."""
    return ApiProblem(404, "NotFound", "the server could not find the requested resource")
