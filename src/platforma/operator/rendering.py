"""Templates of the console. Everything is escaped; a name that is not given raises."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from platforma.operator.routes import Acting
from platforma.portal import wording
from platforma.portal.forms import Submission
from platforma.portal.icons import icon
from platforma.portal.static_files import static_url
from platforma.tenants.quotas import quota_title

_BADGES = {
    "onboarding": wording.Badge("Onboarding", "busy"),
    "offboarding": wording.Badge("Offboarding", "busy"),
    "offboarded": wording.Badge("Offboarded", "off"),
    "checking": wording.Badge("Checking", "busy"),
    "ready": wording.Badge("Ready", "good"),
    "refused": wording.Badge("Refused", "bad"),
    "unavailable": wording.Badge("Unavailable", "bad"),
    "unproven": wording.Badge("Not proven yet", "busy"),
    "proven": wording.Badge("Proven", "good"),
    "lost": wording.Badge("Record has gone", "warn"),
    "withdrawn": wording.Badge("Withdrawn", "bad"),
}
_ACTIONS = {
    "tenant.onboard": "Onboarding",
    "tenant.offboard": "Offboarding",
    "tenant.change": "Change of quotas",
    "tenant.evict": "Removal of others' rules",
}


def badge(status: str) -> wording.Badge:
    """Return the badge of a tenant, portal, member or operation."""
    return _BADGES.get(status) or wording.badge(status)


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("platforma.operator"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ago": wording.ago, "exactly": wording.exactly, "act_words": wording.act_words}
    environment.globals |= {
        "icon": icon,
        "static": static_url,
        "badge_of": badge,
        "quota_title": quota_title,
        "is_moving": wording.is_moving,
        "action_words": lambda action: _ACTIONS.get(action, action),
    }
    environment.globals["ui"] = environment.get_template("macros.html").module
    return environment


_ENVIRONMENT = _make_environment()


def render(
    request: Request, template: str, acting: Acting | None = None, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page; with `acting` it has the frame of those who are signed in."""
    everything = {
        "request": request,
        "me": acting.operator if acting is not None else None,
        "form": getattr(request.state, "submission", None) or Submission(),
        **values,
    }
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(everything), status_code=status)
