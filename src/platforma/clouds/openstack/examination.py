"""Is the cloud fit for Platforma? Each question is asked for itself, so that one answer does not hide another."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from platforma.clouds.openstack.connection import Opened
from platforma.clouds.openstack.errors import CloudError
from platforma.clouds.openstack.resources import AdministratorCredential, Finding
from platforma.clouds.openstack.translation import border

ADMINISTRATOR_ROLE = "admin"


def examine_cloud(opened: Opened, credential: AdministratorCredential) -> list[Finding]:
    """Return what was found, good and bad."""
    connection = opened.connection
    return [
        _examine_role(opened),
        _examine("identity service", lambda: _examine_domain(connection, credential.tenant_domain_name)),
        _examine("compute service", lambda: _first(connection.compute.flavors(is_public=True), "public flavour")),
        _examine("image service", lambda: _first(connection.image.images(visibility="public"), "public image")),
        _examine("volume service", lambda: _first(connection.block_storage.types(), "volume type")),
        _examine("network service", lambda: _first(connection.network.networks(), "network")),
        _examine("external network", lambda: _examine_external(connection, opened.settings.external_network)),
    ]


def _examine(subject: str, question: Callable[[], str | None]) -> Finding:
    """Ask one question, which returns what is wrong or None."""
    try:
        with border():
            wrong = question()
    except CloudError as error:
        return Finding(subject=subject, is_good=False, message=str(error))
    return Finding(subject=subject, is_good=wrong is None, message=wrong or "It is as it should be.")


def _examine_role(opened: Opened) -> Finding:
    is_good = ADMINISTRATOR_ROLE in opened.roles
    message = "It has the role admin." if is_good else "It lacks the role admin: no tenant can be onboarded."
    return Finding(subject="administrator", is_good=is_good, message=message)


def _examine_domain(connection: Any, name: str) -> str | None:
    return _first(connection.identity.domains(name=name), f"domain {name}")


def _examine_external(connection: Any, name: str | None) -> str | None:
    if name is None:
        return "None is configured: tenants' routers cannot lead outside."
    return _first(connection.network.networks(name=name, is_router_external=True), f"external network {name}")


def _first(found: Any, what: str) -> str | None:
    return None if list(islice(found, 1)) else f"There is no {what}."
