"""Templates: the only way from values to HTML. Everything is escaped; a name that is not given raises."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from platforma.api.routes import Reading, Writing
from platforma.authentication.permissions import Permission
from platforma.authentication.principals import Principal
from platforma.portal import choices, wording
from platforma.portal.forms import Submission
from platforma.portal.icons import icon
from platforma.portal.navigation import navigation_for
from platforma.portal.notices import take_notice
from platforma.portal.static_files import static_url

FRAGMENT_PREFIX = "live"
"""Blocks whose name begins so are fragments: htmx asks for one by the id of the element that it replaces."""


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("platforma.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": wording.ago,
        "exactly": wording.exactly,
        "act_words": wording.act_words,
        "actor_words": wording.actor_words,
        "memory": wording.memory,
        "counted": wording.counted,
        "ports": wording.ports,
        "service_words": wording.service_words,
        "rule_words": wording.rule_words,
        "label_words": wording.label_words,
        "file_name": wording.file_name,
        "pairs": choices.pairs,
        "flavor_cards": choices.flavor_cards,
        "image_cards": choices.image_cards,
        "network_cards": choices.network_cards,
        "group_cards": choices.group_cards,
        "role_cards": choices.role_cards,
        "cluster_cards": choices.cluster_cards,
    }
    environment.tests |= {"moving": wording.is_moving}
    environment.globals |= {
        "icon": icon,
        "static": static_url,
        "badge_of": wording.badge,
        "server_badge": wording.server_badge,
        "kubeconfig_badge": wording.kubeconfig_badge,
        "doing": wording.doing,
        "is_moving": wording.is_moving,
        "action_words": wording.action_words,
    }
    environment.globals["ui"] = environment.get_template("layout/macros.html").module
    return environment


_ENVIRONMENT = _make_environment()


def render(
    request: Request,
    template: str,
    context: Reading | Writing | None = None,
    *,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """Return a page; or one live block of it, if htmx asks for that block by name.

    `context` is what the route was given: with it the page knows the member. In templates `may("servers:write")`
    says whether the member's role has a permission, and `form` is the form that was refused, if one was.
    """
    principal = context.principal if context is not None else None
    portal = getattr(request.state, "portal", None)
    has_kubernetes = portal is not None and portal.has_kubernetes
    cookies: list[str] = []
    page = _ENVIRONMENT.get_template(template)
    everything = {
        "request": request,
        "portal": portal,
        "me": principal,
        "may": _permission_check(principal),
        "navigation": list(navigation_for(principal, has_kubernetes=has_kubernetes)) if principal else [],
        "form": getattr(request.state, "submission", None) or Submission(),
        **values,
    }
    fragment = _fragment_of(request, page)
    if fragment is not None:
        content = "".join(page.blocks[fragment](page.new_context(everything)))
    else:
        content = page.render(everything | {"notice": take_notice(request, cookies)})
    response = HTMLResponse(content, status_code=status)
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def render_text(template: str, **values: Any) -> str:
    """Return the text of a template that belongs to no portal."""
    return _ENVIRONMENT.get_template(template).render(values)


def _permission_check(principal: Principal | None) -> Any:
    def may(permission: str) -> bool:
        return principal is not None and principal.may(Permission(permission))

    return may


def _fragment_of(request: Request, page: Template) -> str | None:
    headers = request.headers
    if headers.get("hx-request") != "true" or headers.get("hx-boosted") == "true":
        return None
    target = headers.get("hx-target", "")
    return target if target.startswith(FRAGMENT_PREFIX) and target in page.blocks else None
