"""What is asked of OpenStack and what was observed there, in our own words."""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Literal
from unicodedata import combining, normalize
from uuid import UUID

from platforma.clouds.findings import Finding as Finding
from platforma.clouds.names import cloud_name as cloud_name
from platforma.clouds.names import find_own_id as find_own_id

CloudId = str
"""The id that OpenStack gave an object (a key pair has its name for an id)."""

Reference = UUID | CloudId
"""An object to delete: a UUID is our own id (and finds every object that bears its name), a string a cloud id."""

Ipv6Mode = Literal["slaac", "dhcpv6-stateless", "dhcpv6-stateful"]
"""How servers get their IPv6 addresses; the words are Neutron's."""

_SERVER_HOSTNAME_LENGTH = 63


def server_hostname(name: str) -> str:
    """Return the name that a person gave a server as a host name of RFC 1123: one label, 63 characters at most."""
    letters = "".join(each for each in normalize("NFKD", name.lower()) if not combining(each))
    label = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    return label[:_SERVER_HOSTNAME_LENGTH].strip("-") or "server"


class CloudKind(StrEnum):
    """The kinds of objects that a project can hold, in the order in which they can be removed."""

    SERVER = "server"
    SNAPSHOT = "snapshot"
    VOLUME = "volume"
    FLOATING_IP = "floating_ip"
    PORT = "port"
    ROUTER = "router"
    SUBNET = "subnet"
    NETWORK = "network"
    SECURITY_GROUP = "security_group"
    KEY_PAIR = "key_pair"


@dataclass(frozen=True, slots=True)
class OpenStackSettings:
    """Where the cloud is. `external_network` is the name of the network that leads to the outside."""

    auth_url: str
    region: str
    interface: str = "public"
    ca_file: Path | None = None
    external_network: str | None = None
    timeout_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class ProjectCredential:
    """An application credential that is confined to one project."""

    project_id: str
    user_id: str
    credential_id: str
    secret: str = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return it as JSON, ready for sealing."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ProjectCredential":
        """Return what `to_bytes` has written; raises ValueError for anything else, without quoting it."""
        names = {each.name for each in fields(cls)}
        try:
            content = json.loads(raw)
        except ValueError:
            content = None
        if (
            not isinstance(content, dict)
            or set(content) != names
            or not all(isinstance(value, str) for value in content.values())
        ):
            raise ValueError("This is not a credential of an OpenStack project.")
        return cls(**content)


@dataclass(frozen=True, slots=True)
class AdministratorCredential:
    """The platform administrator's access; the provisioner alone has it.

    Tenants' projects and users are made in the domain `tenant_domain_name`.
    """

    username: str
    password: str = field(repr=False)
    project_name: str = "admin"
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"
    tenant_domain_name: str = "Default"


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule that a security group should have. `id` is our own, the remote group's a cloud id.

    `protocol` is a name (`tcp`, `udp`, `icmp`, `ipv6-icmp`, ...) or a number in a string, None admits all. For ICMP
    the port range is type and code. The remote end is a prefix, a group, or neither: then it is anywhere.
    """

    id: UUID
    direction: Literal["ingress", "egress"]
    ethertype: Literal["IPv4", "IPv6"]
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_cloud_id: CloudId | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class CloudNetwork:
    cloud_id: CloudId
    status: str
    mtu: int | None


@dataclass(frozen=True, slots=True)
class CloudSubnet:
    cloud_id: CloudId
    cidr: str
    gateway_ip: str | None


@dataclass(frozen=True, slots=True)
class CloudRouter:
    """`external_address` is the router's own address outside, None without an external gateway."""

    cloud_id: CloudId
    status: str
    external_address: str | None


@dataclass(frozen=True, slots=True)
class CloudSecurityGroup:
    cloud_id: CloudId
    name: str


@dataclass(frozen=True, slots=True)
class FixedAddress:
    subnet_cloud_id: CloudId
    address: str


@dataclass(frozen=True, slots=True)
class CloudPort:
    """`server_cloud_id` is what it is at, None if it is free."""

    cloud_id: CloudId
    mac: str
    fixed_ips: tuple[FixedAddress, ...]
    status: str
    server_cloud_id: CloudId | None


@dataclass(frozen=True, slots=True)
class CloudFloatingIp:
    """An address of the external network. `port_cloud_id` is where it leads, None if nowhere."""

    cloud_id: CloudId
    address: str
    port_cloud_id: CloudId | None


@dataclass(frozen=True, slots=True)
class CloudKeyPair:
    """A key pair has no id but its name, which new servers ask for."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """An address as the server has it; `network_name` is `cloud_name` of the network's id."""

    network_name: str
    address: str
    version: int


@dataclass(frozen=True, slots=True)
class CloudServer:
    """`status` and `task_state` are Nova's; `power` is `running`, `stopped` or what Nova says.

    `fault` is Nova's explanation of the status ERROR.
    """

    cloud_id: CloudId
    status: str
    power: str
    task_state: str | None
    fault: str | None
    addresses: tuple[ServerAddress, ...]


@dataclass(frozen=True, slots=True)
class CloudAttachment:
    """A volume at a server. `host` is the hypervisor, where the cloud tells."""

    server_cloud_id: CloudId
    device: str | None
    attachment_id: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class VolumeSource:
    """What a new volume begins as a copy of."""

    kind: Literal["volume", "image"]
    cloud_id: CloudId


@dataclass(frozen=True, slots=True)
class CloudVolume:
    """`status` is Cinder's: creating, available, attaching, in-use, detaching, extending, deleting, error, ..."""

    cloud_id: CloudId
    status: str
    size_gib: int
    attachments: tuple[CloudAttachment, ...]


@dataclass(frozen=True, slots=True)
class CloudObject:
    """Anything found in a project."""

    cloud_id: CloudId
    name: str
    kind: CloudKind
    status: str | None


@dataclass(frozen=True, slots=True)
class CloudFlavor:
    cloud_id: CloudId
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int


@dataclass(frozen=True)
class CloudVolumeType:
    """A public volume type."""

    cloud_id: CloudId
    name: str


@dataclass(frozen=True, slots=True)
class CloudImage:
    cloud_id: CloudId
    name: str
    minimum_disk_gib: int
    minimum_ram_mib: int
