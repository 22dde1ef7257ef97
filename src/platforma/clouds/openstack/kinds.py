"""The kinds of objects, and how each is listed, read and deleted through the SDK."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from platforma.clouds.openstack.errors import CloudAnswerInvalid
from platforma.clouds.openstack.resources import CloudId, CloudKind, CloudObject

INFRASTRUCTURE_PORT = "network:"
"""How Neutron marks ports of its own, such as those of routers and of DHCP: they go with what they belong to."""


@dataclass(frozen=True)
class Kind:
    """One kind of object: the service that has it, and the words of the SDK for many of it and for one."""

    kind: CloudKind
    service: str
    plural: str
    singular: str

    def list_of_project(self, connection: Any, project_id: str, *, name: str | None = None) -> Iterator[Any]:
        """Yield what the token's own project has. Neutron needs to be told not to show what others share."""
        filters: dict[str, Any] = {}
        if self.service == "network":
            filters["project_id"] = project_id
        if name is not None and self.kind is not CloudKind.KEY_PAIR:
            word = "description" if self.kind is CloudKind.FLOATING_IP else "name"
            filters[word] = f"^{name}$" if self.kind is CloudKind.SERVER else name
        yield from getattr(getattr(connection, self.service), self.plural)(**filters)

    def list_of_any_project(self, connection: Any, project_id: str) -> Iterator[Any]:
        """Yield what a project has, with the administrator's token."""
        filters: dict[str, Any] = {"project_id": project_id}
        if self.service != "network":
            filters["all_projects"] = True
        for item in getattr(getattr(connection, self.service), self.plural)(**filters):
            if self.owner(item) == project_id:
                yield item

    def read(self, connection: Any, cloud_id: CloudId) -> Any:
        """Return one object as the SDK has it."""
        return getattr(getattr(connection, self.service), f"get_{self.singular}")(cloud_id)

    def delete(self, connection: Any, cloud_id: CloudId) -> None:
        """Ask for an object to be deleted; one that is not there is no error."""
        getattr(getattr(connection, self.service), f"delete_{self.singular}")(cloud_id, ignore_missing=True)

    def owner(self, item: Any) -> str | None:
        """Return whose the object is: a project, or for key pairs a user if the answer says which."""
        if self.kind is CloudKind.KEY_PAIR:
            return item.user_id if item.user_id is None else str(item.user_id)
        return str(required(item.project_id or getattr(item, "tenant_id", None), "project"))

    def name(self, item: Any) -> str:
        """Return the object's name. Floating IPs have none: their description bears ours."""
        return str((item.description if self.kind is CloudKind.FLOATING_IP else item.name) or "")

    def observed(self, item: Any) -> CloudObject:
        """Return the object as an inventory shows it."""
        status = getattr(item, "status", None)
        return CloudObject(
            cloud_id=required(item.id, "id"),
            name=self.name(item),
            kind=self.kind,
            status=None if status is None else str(status),
        )


SERVERS = Kind(CloudKind.SERVER, "compute", "servers", "server")
SNAPSHOTS = Kind(CloudKind.SNAPSHOT, "block_storage", "snapshots", "snapshot")
VOLUMES = Kind(CloudKind.VOLUME, "block_storage", "volumes", "volume")
FLOATING_IPS = Kind(CloudKind.FLOATING_IP, "network", "ips", "ip")
PORTS = Kind(CloudKind.PORT, "network", "ports", "port")
ROUTERS = Kind(CloudKind.ROUTER, "network", "routers", "router")
SUBNETS = Kind(CloudKind.SUBNET, "network", "subnets", "subnet")
NETWORKS = Kind(CloudKind.NETWORK, "network", "networks", "network")
SECURITY_GROUPS = Kind(CloudKind.SECURITY_GROUP, "network", "security_groups", "security_group")
KEY_PAIRS = Kind(CloudKind.KEY_PAIR, "compute", "keypairs", "keypair")

KINDS = {
    kind.kind: kind
    for kind in (
        SERVERS,
        SNAPSHOTS,
        VOLUMES,
        FLOATING_IPS,
        PORTS,
        ROUTERS,
        SUBNETS,
        NETWORKS,
        SECURITY_GROUPS,
        KEY_PAIRS,
    )
}


def required(value: Any, what: str) -> Any:
    """Return what an answer must have; raises CloudAnswerInvalid if it is missing."""
    if value is None:
        raise CloudAnswerInvalid(f"It lacks the {what}.")
    return value


def is_infrastructure(item: Any) -> bool:
    """Say whether a port is Neutron's own."""
    return str(getattr(item, "device_owner", None) or "").startswith(INFRASTRUCTURE_PORT)
