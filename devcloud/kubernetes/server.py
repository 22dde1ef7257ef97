"""The stand-in over HTTP: from a request's address to a verb and a resource, and its answer as JSON or as a watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import yaml
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from devcloud.kubernetes.authentication import Authenticator, User
from devcloud.kubernetes.authorization import Attributes, Authorizer
from devcloud.kubernetes.controllers import Controllers
from devcloud.kubernetes.decoding import decode
from devcloud.kubernetes.faults import Fault, Faults, delay
from devcloud.kubernetes.kinds import Kind, kinds, subresource_model
from devcloud.kubernetes.problems import ApiProblem, bad_request, gone, no_such_method, no_such_resource, status
from devcloud.kubernetes.resources import Call, Resources
from devcloud.kubernetes.reviews import Reviews
from devcloud.kubernetes.store import Object
from devcloud.kubernetes.watching import watch

HEADER = ("X-Platforma-Stand-In", "no pods, no packets: a stand-in for development and tests")
ROOT_PAGE = """Platforma's stand-in for a Kubernetes API server, for development and tests.

It stores objects, and judges who may write which. It runs no pods and moves no packets: nothing that is in it is
isolated from anything. What it serves, and what not, is in devcloud/kubernetes/README.md.
"""
MINOR_VERSION = "33"
_NO_CONTAINERS = "the stand-in runs no containers"
_IN_CONTAINERS = {"attach", "exec", "log", "portforward", "proxy", "ephemeralcontainers"}


class ApiServer:
    """An ASGI application. `git_version` says what it is to whoever asks for `/version`."""

    def __init__(
        self,
        resources: Resources,
        authenticator: Authenticator,
        authorizer: Authorizer,
        controllers: Controllers,
        *,
        is_simulating: bool,
    ) -> None:
        suffix = "devcloud.simulated" if is_simulating else "devcloud"
        self.git_version = f"v1.{MINOR_VERSION}.0+{suffix}"
        self.faults = Faults()
        self.seen: list[tuple[str, str]] = []
        self._resources = resources
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._reviews = Reviews(authenticator, authorizer)
        self._controllers = controllers
        self._is_ending = asyncio.Event()

    def application(self) -> ASGIApp:
        """Return the application, whose lifespan is that of the controllers."""

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            running = asyncio.create_task(self._controllers.run())
            yield
            running.cancel()
            self._resources.store.save()

        outer = Starlette(lifespan=lifespan)

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self._respond(scope, receive, send)
            else:
                await outer(scope, receive, send)

        return application

    def end_watches(self) -> None:
        """Let every watch come to its end."""
        self._is_ending.set()

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.seen.append((request.method, request.url.path))
        fault = self.faults.take(request.method, request.url.path)
        if fault is not None:
            await delay(fault)
            if not fault.is_after:
                await _fail(fault, scope, receive, send)
                return
        response = await self._answer(request)
        if fault is not None and (fault.status is not None or not fault.seconds):
            await _fail(fault, scope, receive, send)
            return
        response.headers[HEADER[0]] = HEADER[1]
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            user = self._authenticator.user_of(request.headers.get("authorization"))
            body = await _body(request)
            parts = [part for part in request.url.path.split("/") if part]
            if len(parts) > 1 and parts[0] in ("api", "apis") and (found := _resource(parts)) is not None:
                return self._of_resource(request, user, body, *found)
            return self._of_path(request, user)
        except ApiProblem as problem:
            return JSONResponse(problem.status(), problem.code, problem.headers)
        except ClientDisconnect:
            return Response(status_code=499)

    def _of_path(self, request: Request, user: User) -> Response:
        path = request.url.path
        self._authorizer.check(user, Attributes("get", path=path))
        if request.method != "GET":
            raise no_such_method(request.method.lower())
        match path.rstrip("/"):
            case "":
                return PlainTextResponse(ROOT_PAGE)
            case "/healthz" | "/livez" | "/readyz":
                return PlainTextResponse("ok")
            case "/version":
                version = {"major": "1", "minor": MINOR_VERSION, "gitVersion": self.git_version, "platform": "devcloud"}
                return JSONResponse(version)
            case "/api":
                return JSONResponse({"kind": "APIVersions", "versions": ["v1"]})
            case "/apis":
                return JSONResponse({"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()})
        parts = path.strip("/").split("/")
        listed = [
            each
            for each in kinds().values()
            if parts == (["apis"] if each.group else ["api"]) + each.api_version.split("/")
        ]
        if not listed:
            raise no_such_resource()
        return JSONResponse(_resource_list(listed))

    def _of_resource(
        self, request: Request, user: User, body: Any, kind: Kind, namespace: str, name: str, subresource: str
    ) -> Response:
        query = dict(request.query_params)
        is_watch = query.get("watch") in ("true", "1") and not name
        verb = _verb(request.method, bool(name), is_watch)
        resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
        scope = name if kind.plural == "namespaces" else namespace
        asked = replace(Attributes(verb, kind.group, resource, scope, name))
        self._authorizer.check(user, asked)
        if verb == "patch" and "apply-patch" in request.headers.get("content-type", ""):
            self._check_apply_may_create(user, kind, namespace, name, asked)
        if subresource in _IN_CONTAINERS:
            self._resources.get(Call(kind, user, namespace, name))
            raise ApiProblem(400, "BadRequest", _NO_CONTAINERS)
        if subresource and subresource not in kind.subresources:
            raise no_such_resource()
        call = Call(
            kind=kind,
            user=user,
            namespace=namespace,
            name=name,
            subresource=subresource,
            manager=query.get("fieldManager") or request.headers.get("user-agent", "unknown").split("/")[0],
            is_dry_run=query.get("dryRun") == "All",
            is_strict=query.get("fieldValidation") == "Strict",
            force=query.get("force") == "true",
        )
        if call.manager == "unknown" or (verb == "patch" and "fieldManager" not in query):
            call = replace(call, manager=query.get("fieldManager") or call.manager)
        if self._reviews.is_review(kind.plural):
            return self._review(call, verb, body)
        if subresource == "token":
            return self._token(call, verb, body)
        if is_watch:
            return self._watch(call, query)
        return self._act(call, verb, body, query, request.headers.get("content-type", "").split(";")[0])

    def _check_apply_may_create(self, user: User, kind: Kind, namespace: str, name: str, asked: Attributes) -> None:
        """An apply that makes an object needs the right to create as well."""
        if self._resources.store.find(kind, namespace, name) is None:
            self._authorizer.check(user, replace(asked, verb="create"))

    def _act(self, call: Call, verb: str, body: Any, query: dict[str, str], form: str) -> Response:
        if call.subresource and verb not in ("get", "update", "patch"):
            raise no_such_method(verb)
        match verb:
            case "get":
                return JSONResponse(self._resources.get(call))
            case "list":
                return JSONResponse(self._resources.list_objects(call, query))
            case "create":
                if call.name or (call.kind.is_namespaced and not call.namespace):
                    raise no_such_method(verb)
                return JSONResponse(self._resources.create(call, body), 201)
            case "update":
                return JSONResponse(self._resources.replace(call, body))
            case "patch":
                existed = self._resources.store.find(call.kind, call.namespace, call.name) is not None
                return JSONResponse(self._resources.patch(call, body, form), 200 if existed else 201)
            case "delete":
                value, is_gone = self._resources.delete(call, body or {})
                answer: Object = value
                if is_gone:
                    details = {"name": call.name, "kind": call.kind.plural, "uid": value["metadata"]["uid"]}
                    answer = status(200, None, None, **details)
                return JSONResponse(answer)
            case "deletecollection":
                listed = self._resources.list_objects(call, query)
                for each in listed["items"]:
                    self._resources.delete(replace(call, name=each["metadata"]["name"]), body or {})
                return JSONResponse(listed)
        raise no_such_method(verb)

    def _review(self, call: Call, verb: str, body: Any) -> Response:
        if verb != "create":
            raise no_such_method(verb)
        return JSONResponse(self._reviews.answer(call.kind.plural, call.user, decode(body, call.kind.model).value), 201)

    def _token(self, call: Call, verb: str, body: Any) -> Response:
        if verb != "create":
            raise no_such_method(verb)
        model = subresource_model(call.kind, "token")
        account = self._resources.get(call)
        asked = decode(body, model).value if model is not None else body
        return JSONResponse(self._authenticator.issue(account, asked), 201)

    def _watch(self, call: Call, query: dict[str, str]) -> Response:
        version = int(query.get("resourceVersion") or 0)
        if version and self._resources.store.since(version) is None:
            raise gone(f"too old resource version: {version}")
        return StreamingResponse(
            watch(self._resources, call, query, version, self._is_ending), media_type="application/json"
        )


async def _body(request: Request) -> Any:
    raw = await request.body()
    if not raw:
        return None
    try:
        return yaml.safe_load(raw) if "yaml" in request.headers.get("content-type", "") else json.loads(raw)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _resource(parts: list[str]) -> tuple[Kind, str, str, str] | None:
    """Return kind, namespace, name and subresource of an address, or None if it names no resource of ours."""
    group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
    if len(rest) < 2:
        return None
    version, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group, version, rest[2]) in kinds():
        namespace, rest = rest[1], rest[2:]
    kind = kinds().get((group, version, rest[0]))
    if kind is None or len(rest) > 3 or (namespace and not kind.is_namespaced):
        return None
    name = rest[1] if len(rest) > 1 else ""
    if kind.is_namespaced and name and not namespace:
        return None
    return kind, namespace, name, rest[2] if len(rest) > 2 else ""


def _verb(method: str, has_name: bool, is_watch: bool) -> str:
    if is_watch and method == "GET":
        return "watch"
    verbs = {"GET": "get" if has_name else "list", "POST": "create", "PUT": "update", "PATCH": "patch"}
    verbs["DELETE"] = "delete" if has_name else "deletecollection"
    if method not in verbs:
        raise no_such_method(method.lower())
    return verbs[method]


def _groups() -> list[dict[str, Any]]:
    found = sorted({(each.group, each.version) for each in kinds().values() if each.group})
    return [
        {"name": group, "versions": [version], "preferredVersion": version}
        for group, v in found
        for version in ({"groupVersion": f"{group}/{v}", "version": v},)
    ]


def _resource_list(listed: list[Kind]) -> dict[str, Any]:
    resources = []
    for each in listed:
        verbs = sorted(
            {"post": "create", "put": "update"}.get(verb, verb) for verb in each.verbs if "global" not in verb
        )
        resources.append({"name": each.plural, "namespaced": each.is_namespaced, "kind": each.kind, "verbs": verbs})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": listed[0].api_version,
        "resources": resources,
    }


async def _fail(fault: Fault, scope: Scope, receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
    if fault.status is None:
        raise ConnectionAbortedError("a fault that was planted")
    content = fault.body if fault.body is not None else json.dumps(status(fault.status, None, "injected")).encode()
    headers = {"Content-Type": "application/json", **fault.headers}
    await Response(content, fault.status, headers)(scope, receive, send)
