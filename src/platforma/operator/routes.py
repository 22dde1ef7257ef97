"""Routes of the operator's plane: each takes the operator's guard, or is declared open, or does not exist.

@router.get("/{portal_id}")
async def get_portal(portal_id: UUID, acting: Signed) -> ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from platforma.api.problems import describe
from platforma.api.routes import OpenRoute, UnguardedRouteError
from platforma.authentication.cookies import OPERATOR_COOKIE, read_cookie
from platforma.database.database import Database
from platforma.kit.problems import Forbidden, NotSignedIn
from platforma.operator.service import OperatorAuthenticator, OperatorPrincipal
from platforma.settings import Settings
from platforma.tenants.service import OperatorAct

PERMISSION = "operator"


@dataclass(frozen=True, slots=True)
class Acting:
    """A request of a signed-in operator: who asks, and the database as the operator's role has it."""

    operator: OperatorPrincipal
    database: Database
    settings: Settings
    reason: str | None = None
    """Why, where one reason holds for everything that is done, as on the command line."""

    def act(self, reason: str) -> OperatorAct:
        """Return an act on a tenant with the reason that both audit logs keep."""
        return OperatorAct(self.operator.email, reason)


def authenticator_of(request: Request) -> OperatorAuthenticator:
    """Return the process's authenticator."""
    authenticator: OperatorAuthenticator = request.app.state.authenticator
    return authenticator


async def open_acting(request: Request) -> Acting:
    """Find the operator of the request's session; raises NotSignedIn.

    Reading leaves traces in tenants' audit logs, so that no other site may have the API do even that.
    """
    if request.url.path.startswith("/api/") and request.headers.get("sec-fetch-site", "none") not in (
        "same-origin",
        "none",
    ):
        raise Forbidden("This was asked for by another site.")
    token = read_cookie(request.scope["headers"], OPERATOR_COOKIE)
    operator = await authenticator_of(request).find_operator(token) if token is not None else None
    if operator is None:
        raise NotSignedIn
    return Acting(operator, request.app.state.database, request.app.state.settings)


SignsIn = Annotated[OperatorAuthenticator, Depends(authenticator_of)]
Signed = Annotated[Acting, Depends(open_acting)]


class OperatorRoute(OpenRoute):
    """As strict as tenants' routes are about what is sent; guarded by the operator's session instead of a role."""

    is_open_to_all = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        if not self.is_open_to_all:
            kwargs["responses"] = describe(401, 403) | (kwargs.get("responses") or {})
        super().__init__(path, endpoint, **kwargs)
        if self.is_open_to_all:
            return
        if not _takes_guard(self.dependant):
            raise UnguardedRouteError(
                f"{path} takes no operator. Take a context of type Signed, or use OpenPlaneRoute."
            )
        self.openapi_extra = (self.openapi_extra or {}) | {"x-permission": PERMISSION, "security": [{"session": []}]}


class OpenPlaneRoute(OperatorRoute):
    """A route for operators who have not signed in yet."""

    is_open_to_all = True


def _takes_guard(dependant: Dependant) -> bool:
    return any(needed.call is open_acting or _takes_guard(needed) for needed in dependant.dependencies)
