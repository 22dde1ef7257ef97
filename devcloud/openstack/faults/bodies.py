"""Error bodies as each service words them, for answers that no service has given.

Clients read these: openstacksdk takes its message from them, and Platforma its reason. The shapes are
those of nova.api.openstack.wsgi.Fault (Cinder has the same), neutron's api_common fault map, keystone's
JSON errors, placement's guidelines-style list, and webob's page, which is all that Glance gives.
"""

from __future__ import annotations

import http
import json

COMPUTE_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
NEUTRON_TYPES = {
    403: "PolicyNotAuthorized",
    404: "HTTPNotFound",
    409: "Conflict",
    413: "OverQuota",
    500: "HTTPInternalServerError",
    503: "ServiceUnavailable",
}


def error_body(service: str, status: int, message: str) -> tuple[str, bytes]:
    """The content type and body with which `service` would say `message`."""
    title = _title(status)
    if service == "glance":
        page = f"<html><head><title>{status} {title}</title></head><body>{message}</body></html>"
        return "text/html; charset=UTF-8", page.encode()
    content: object
    if service in ("nova", "cinder"):
        content = {COMPUTE_FAULTS.get(status, "computeFault"): {"code": status, "message": message}}
    elif service == "neutron":
        kind = NEUTRON_TYPES.get(status, title.replace(" ", ""))
        content = {"NeutronError": {"type": kind, "message": message, "detail": ""}}
    elif service == "placement":
        content = {"errors": [{"status": status, "title": title, "detail": message}]}
    else:
        content = {"error": {"code": status, "title": title, "message": message}}
    return "application/json", json.dumps(content).encode()


def _title(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"
