"""Who asks: the administrator by a fixed token, service accounts by signed ones, and everybody else is anonymous.

Tokens are JWTs as the TokenRequest API gives them: they end by themselves, and with the service account or the object
that they are bound to. As in a real API server, a token that was good is taken for good for some seconds more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.problems import ApiProblem, bad_request, conflict, invalid, unauthorized
from devcloud.kubernetes.store import Object, Store

ISSUER = "https://kubernetes.default.svc.cluster.local"
SHORTEST_SECONDS = 600
LONGEST_SECONDS = 2**32
DEFAULT_SECONDS = 3600

Clock = Callable[[], float]


@dataclass(frozen=True)
class User:
    """Somebody, as authorization and admission see them."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def info(self) -> dict[str, Any]:
        """Return a UserInfo."""
        return {"username": self.username, "uid": self.uid, "groups": list(self.groups), "extra": self.extra}


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
ADMINISTRATOR = User("kubernetes-admin", groups=("system:masters", "system:authenticated"))


def service_account_user(namespace: str, name: str, uid: str = "") -> User:
    """Return who a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", uid, groups)


class Authenticator:
    """Knows tokens. `remembered_seconds` is how long one that was good is not looked at again (10 in a real one)."""

    def __init__(
        self, store: Store, administrator_token: str, key: bytes, *, remembered_seconds: float, clock: Clock = time.time
    ) -> None:
        self.clock = clock
        self._store = store
        self._administrator_token = administrator_token
        self._key = key
        self._remembered_seconds = remembered_seconds
        self._remembered: dict[str, tuple[float, User]] = {}

    def user_of(self, authorization: str | None) -> User:
        """Return who sent a request; raises ApiProblem (401) for a token that is not good."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        if hmac.compare_digest(token, self._administrator_token):
            return ADMINISTRATOR
        return self.user_of_token(token, [ISSUER])

    def user_of_token(self, token: str, audiences: list[str]) -> User:
        """Return whose token it is, for one of the audiences; raises ApiProblem (401)."""
        digest = hashlib.sha256(f"{audiences}{token}".encode()).hexdigest()
        until, user = self._remembered.get(digest, (0.0, ANONYMOUS))
        if self.clock() < until:
            return user
        claims = self._claims(token)
        if not set(audiences) & set(claims["aud"]) or not claims["nbf"] <= self.clock() < claims["exp"]:
            raise unauthorized()
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        if not self._is_there("serviceaccounts", namespace, account):
            raise unauthorized()
        for bound, plural in (("secret", "secrets"), ("pod", "pods")):
            if bound in private and not self._is_there(plural, namespace, private[bound]):
                raise unauthorized()
        plain = service_account_user(namespace, account["name"], account["uid"])
        credential = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
        user = User(plain.username, plain.uid, plain.groups, credential)
        self._remembered[digest] = (self.clock() + self._remembered_seconds, user)
        return user

    def issue(self, account: Object, request: Object) -> Object:
        """Answer a TokenRequest for a service account."""
        spec = request.get("spec") or {}
        name, namespace = account["metadata"]["name"], account["metadata"]["namespace"]
        seconds = spec.get("expirationSeconds", DEFAULT_SECONDS)
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            why = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
            raise invalid("TokenRequest", "authentication.k8s.io", name, "spec.expirationSeconds", why)
        audiences = spec.get("audiences") or [ISSUER]
        private: dict[str, Any] = {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
        }
        if (reference := spec.get("boundObjectRef")) is not None:
            private[reference["kind"].lower()] = self._bound(namespace, reference)
        now = int(self.clock())
        claims = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": audiences,
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "jti": str(uuid4()),
            "kubernetes.io": private,
        }
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"]))
        return {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": None},
            "spec": {**spec, "audiences": audiences, "expirationSeconds": seconds},
            "status": {"token": self._sign(claims), "expirationTimestamp": expires},
        }

    def _bound(self, namespace: str, reference: dict[str, Any]) -> dict[str, str]:
        plural = {"Secret": "secrets", "Pod": "pods"}.get(reference.get("kind", ""))
        if plural is None:
            raise bad_request(f"cannot bind token for serviceaccount to object of type {reference.get('kind')}")
        found = self._store.find(kind(plural), namespace, reference.get("name", ""))
        if found is None:
            raise ApiProblem(404, "NotFound", f'{plural} "{reference.get("name")}" not found')
        uid = str(found["metadata"]["uid"])
        if reference.get("uid") not in (None, "", uid):
            raise conflict(plural, "", reference["name"], "the UID in the bound object reference does not match")
        return {"name": reference["name"], "uid": uid}

    def _is_there(self, plural: str, namespace: str, reference: dict[str, str]) -> bool:
        found = self._store.find(kind(plural), namespace, reference["name"])
        return found is not None and found["metadata"]["uid"] == reference["uid"]

    def _sign(self, claims: dict[str, Any]) -> str:
        head = _encode(json.dumps({"alg": "HS256", "kid": "devcloud"}).encode())
        body = _encode(json.dumps(claims).encode())
        return f"{head}.{body}.{self._signature(f'{head}.{body}')}"

    def _signature(self, text: str) -> str:
        return _encode(hmac.new(self._key, text.encode(), hashlib.sha256).digest())

    def _claims(self, token: str) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed), signature):
            raise unauthorized()
        body = signed.partition(".")[2]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
