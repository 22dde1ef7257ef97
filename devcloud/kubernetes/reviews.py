"""Questions that are answered and not stored: who is this, and may it do that?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devcloud.kubernetes.authentication import ISSUER, Authenticator, User
from devcloud.kubernetes.authorization import Attributes, Authorizer
from devcloud.kubernetes.problems import ApiProblem, no_such_resource


class Reviews:
    """Answers reviews by their plural."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._answers: dict[str, Callable[[User, dict[str, Any]], dict[str, Any]]] = {
            "selfsubjectreviews": lambda user, _spec: {"userInfo": user.info()},
            "selfsubjectaccessreviews": self._may_self,
            "subjectaccessreviews": self._may_other,
            "localsubjectaccessreviews": self._may_other,
            "tokenreviews": self._token,
        }

    def is_review(self, plural: str) -> bool:
        """Say whether a resource is a question."""
        return plural in self._answers

    def answer(self, plural: str, user: User, body: dict[str, Any]) -> dict[str, Any]:
        """Return the question with its answer; raises ApiProblem."""
        if plural not in self._answers:
            raise no_such_resource()
        return {**body, "status": self._answers[plural](user, body.get("spec") or {})}

    def _may_self(self, user: User, spec: dict[str, Any]) -> dict[str, Any]:
        return {"allowed": self._authorizer.may(user, _attributes(spec))}

    def _may_other(self, _user: User, spec: dict[str, Any]) -> dict[str, Any]:
        asked = User(spec.get("user", ""), groups=tuple(spec.get("groups") or ()))
        return {"allowed": self._authorizer.may(asked, _attributes(spec))}

    def _token(self, _user: User, spec: dict[str, Any]) -> dict[str, Any]:
        audiences = spec.get("audiences") or [ISSUER]
        try:
            found = self._authenticator.user_of_token(spec.get("token", ""), audiences)
        except ApiProblem:
            return {"authenticated": False, "error": "the token is not valid"}
        return {"authenticated": True, "user": found.info(), "audiences": audiences}


def _attributes(spec: dict[str, Any]) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    resource = asked.get("resource", "")
    if asked.get("subresource"):
        resource = f"{resource}/{asked['subresource']}"
    return Attributes(
        asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", "")
    )
