"""Emptying a project that is given up, one pass at a time."""

from typing import Any

from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound, CloudRefused
from platforma.clouds.openstack.kinds import (
    KEY_PAIRS,
    KINDS,
    PORTS,
    ROUTERS,
    SECURITY_GROUPS,
    SERVERS,
    SNAPSHOTS,
    VOLUMES,
    Kind,
    is_infrastructure,
)
from platforma.clouds.openstack.network import ROUTER_INTERFACES
from platforma.clouds.openstack.resources import CloudObject
from platforma.clouds.openstack.security import DEFAULT_GROUP
from platforma.clouds.openstack.translation import border

_HELD_BY_SERVERS = (VOLUMES, PORTS)
"""Nova takes them away itself while it deletes a server; we would only be in its way."""


def empty_project(connection: Any, project_id: str) -> list[CloudObject]:
    """Delete what can be deleted now, and return what is left, with the administrator's rights.

    The default security group does not count: Neutron makes it anew for who asks, and it goes with the project.
    """
    for kind in KINDS.values():
        if kind in _HELD_BY_SERVERS and _list(connection, SERVERS, project_id):
            continue
        for item in _list(connection, kind, project_id):
            try:
                with border():
                    _delete(connection, kind, item)
            except (CloudConflict, CloudNotFound, CloudRefused):
                continue  # what is still there is in the answer
    return [kind.observed(item) for kind in KINDS.values() for item in _list(connection, kind, project_id)]


def _list(connection: Any, kind: Kind, project_id: str) -> list[Any]:
    if kind is KEY_PAIRS:
        return [pair for user_id in _tenant_users(connection, project_id) for pair in _pairs(connection, user_id)]
    return [
        item
        for item in kind.list_of_any_project(connection, project_id)
        if not is_infrastructure(item) and not (kind is SECURITY_GROUPS and item.name == DEFAULT_GROUP)
    ]


def _pairs(connection: Any, user_id: str) -> list[Any]:
    pairs = list(connection.compute.keypairs(user_id=user_id))
    for pair in pairs:
        pair.user_id = user_id
    return pairs


def _tenant_users(connection: Any, project_id: str) -> list[str]:
    """Return the tenant's user, who bears the project's name. Others may have roles there, and keep their key pairs."""
    try:
        with border():
            project = connection.identity.get_project(project_id)
    except CloudNotFound:
        return []
    users = connection.identity.users(name=project.name, domain_id=project.domain_id)
    return [str(user.id) for user in users if user.name == project.name]


def _delete(connection: Any, kind: Kind, item: Any) -> None:
    if kind is SERVERS:
        connection.compute.delete_server(item.id, force=item.status in {"ERROR", "SOFT_DELETED"})
    elif kind in (VOLUMES, SNAPSHOTS):
        if item.status != "deleting":
            kind.delete(connection, item.id)
    elif kind is KEY_PAIRS:
        connection.compute.delete_keypair(item.id, user_id=item.user_id)
    elif kind is ROUTERS:
        _delete_router(connection, item)
    else:
        kind.delete(connection, item.id)


def _delete_router(connection: Any, router: Any) -> None:
    if router.routes:
        connection.network.update_router(router.id, routes=[])
    for port in connection.network.ports(device_id=router.id):
        if port.device_owner in ROUTER_INTERFACES:
            connection.network.remove_interface_from_router(router.id, port=port.id)
    ROUTERS.delete(connection, router.id)
