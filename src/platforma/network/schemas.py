"""What the API says and hears about networks."""

import ipaddress
from datetime import datetime
from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from platforma.api.fields import Boolean, Description, Input, Integer, Name, Output, ShortDescription
from platforma.api.lists import ListQuery
from platforma.operations.schemas import ResourceOut

Item = TypeVar("Item")


def _cidr(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        raise ValueError(f"This is no network in CIDR notation, such as 10.0.0.0/24: {error}") from None
    return str(network)


def _private_cidr(text: str) -> str:
    network = ipaddress.ip_network(_cidr(text))
    if network.is_multicast or network.is_loopback or network.is_link_local or network.is_unspecified:
        raise ValueError("Multicast, loopback, link-local and unspecified ranges cannot be used.")
    largest, smallest = (8, 29) if network.version == 4 else (48, 64)
    if not largest <= network.prefixlen <= smallest:
        raise ValueError(f"The prefix of an IPv{network.version} subnet is between /{largest} and /{smallest}.")
    return str(network)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("This is no IP address.") from None


def _distinct(items: list[Item]) -> list[Item]:
    if len(set(items)) != len(items):
        raise ValueError("Name each only once.")
    return items


_Text = StringConstraints(strip_whitespace=True, max_length=64)
Cidr = Annotated[str, _Text, AfterValidator(_cidr)]
SubnetCidr = Annotated[str, _Text, AfterValidator(_private_cidr)]
Address = Annotated[str, _Text, AfterValidator(_address)]


Ipv6Mode = Literal["slaac", "dhcpv6-stateless", "dhcpv6-stateful"]


def ends_of(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[object, ...]:
    """Return the addresses of a range that no host can have: its own, and in IPv4 that of all its hosts."""
    return (network.network_address, network.broadcast_address) if network.version == 4 else (network.network_address,)


class SubnetCreate(Input):
    """An address range. Attached to a router, it can reach what the router leads to."""

    name: Name | None = None
    cidr: SubnetCidr = Field(examples=["10.20.0.0/24"])
    gateway_ip: Address | None = Field(default=None, description="The first address of the range if left out.")
    has_dhcp: Boolean = Field(default=True, description="Whether servers are told their addresses.")
    ipv6_mode: Ipv6Mode | None = Field(
        default=None, description="How servers get their IPv6 addresses: `slaac` if left out. It cannot be changed."
    )
    dns_nameservers: list[Address] = Field(default_factory=list, max_length=5)
    router_id: UUID | None = None

    @model_validator(mode="after")
    def _check_gateway(self) -> Self:
        network = ipaddress.ip_network(self.cidr)
        if self.gateway_ip is not None and ipaddress.ip_address(self.gateway_ip) not in network:
            raise ValueError(f"The gateway is not in {network}.")
        if self.gateway_ip is not None and ipaddress.ip_address(self.gateway_ip) in ends_of(network):
            raise ValueError(f"{self.gateway_ip} is an end of {network}, which no host can have.")
        if self.ipv6_mode is not None and network.version == 4:
            raise ValueError("An IPv6 mode is for IPv6 only.")
        if self.ipv6_mode is not None and not self.has_dhcp:
            raise ValueError("With an IPv6 mode servers are told their addresses: leave has_dhcp on.")
        if self.ipv6_mode != "dhcpv6-stateful" and network.version == 6 and self.has_dhcp and network.prefixlen != 64:
            raise ValueError("Servers choose addresses themselves only in a /64. Use dhcpv6-stateful for others.")
        return self


class SubnetChange(Input):
    """What can be changed of a subnet. A `router_id` of null detaches it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend"}]})

    name: Name = Field(default=None)  # type: ignore[assignment]
    dns_nameservers: list[Address] = Field(default=None, max_length=5)  # type: ignore[arg-type]
    router_id: UUID | None = None


class NetworkCreate(Input):
    """A private network, with its first subnets."""

    name: Name
    description: Description = ""
    subnets: list[SubnetCreate] = Field(default_factory=list, max_length=8)


class NameChange(Input):
    """A new name or description."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend"}]})

    name: Name = Field(default=None)  # type: ignore[assignment]
    description: Description = Field(default=None)  # type: ignore[assignment]


class RouterCreate(Input):
    """A router, with or without a way to the outside."""

    name: Name
    description: Description = ""
    has_external_gateway: Boolean = True


class RouterChange(NameChange):
    """What can be changed of a router."""

    has_external_gateway: Boolean = Field(default=None)  # type: ignore[assignment]


class SubnetOut(ResourceOut):
    """A subnet."""

    network_id: UUID
    router_id: UUID | None
    ip_version: int
    cidr: str
    gateway_ip: str | None
    has_dhcp: bool
    ipv6_mode: str | None
    dns_nameservers: list[str]


class NetworkOut(ResourceOut):
    """A network."""

    subnets: list[SubnetOut]


class RouterOut(ResourceOut):
    """A router."""

    has_external_gateway: bool
    external_address: str | None


class PortQuery(ListQuery):
    """Filters of the list of ports."""

    server_id: UUID | None = None
    network_id: UUID | None = None


_ALLOWED = "Addresses, or ranges in CIDR notation, that may be sent from besides: within the network's own subnets."
AllowedAddresses = Annotated[list[Cidr], AfterValidator(_distinct), Field(max_length=20)]
FixedAddresses = Annotated[
    list[Address],
    AfterValidator(_distinct),
    Field(
        max_length=8,
        description="Addresses that it shall have, at most one of each subnet; of an IP version without one it gets "
        "what is free.",
    ),
]
GroupIds = Annotated[list[UUID], AfterValidator(_distinct), Field(min_length=1, max_length=10)]


class PortCreate(Input):
    """A port that is free for a server. Without security groups it gets the default one."""

    name: Name
    description: Description = ""
    network_id: UUID
    fixed_addresses: FixedAddresses = Field(default_factory=list)
    allowed_addresses: AllowedAddresses = Field(default_factory=list, description=_ALLOWED)
    security_group_ids: GroupIds | None = None


class PortChange(NameChange):
    """What can be changed of a port. Security groups that are named here are on this port instead of its server's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"allowed_addresses": ["10.9.0.100"]}]})

    allowed_addresses: AllowedAddresses = Field(default=None, description=_ALLOWED)  # type: ignore[arg-type]
    security_group_ids: GroupIds = Field(default=None)  # type: ignore[arg-type]


class PortAttach(Input):
    """The server that it shall be at."""

    server_id: UUID


class InterfaceCreate(Input):
    """A network for a server to be on, where it gets a port that goes with it."""

    network_id: UUID
    fixed_addresses: FixedAddresses = Field(default_factory=list)


class PortOut(ResourceOut):
    """A place on a network: a server's, or free. Port security is always on."""

    server_id: UUID | None
    server_name: str | None
    network_id: UUID
    network_name: str
    goes_with_server: bool = Field(description="Whether it was made for its server and goes with it.")
    addresses: list[str] = Field(description="As last seen in the cloud.")
    fixed_addresses: list[str] = Field(description="As chosen.")
    allowed_addresses: list[str]
    security_group_ids: list[UUID]
    floating_ip_id: UUID | None


class FloatingIpCreate(Input):
    """An address of the external network, and the port that it shall lead to, if any."""

    name: Name
    description: Description = ""
    port_id: UUID | None = None


class FloatingIpAttach(Input):
    """The port that it shall lead to."""

    port_id: UUID


class FloatingIpOut(ResourceOut):
    """A floating IP."""

    address: str | None
    port: PortOut | None


Protocol = Literal["tcp", "udp", "icmp", "ipv6-icmp"]


class RuleCreate(Input):
    """Traffic to admit. Without a remote prefix or group it is admitted from anywhere."""

    direction: Literal["ingress", "egress"] = "ingress"
    ethertype: Literal["IPv4", "IPv6"] = "IPv4"
    protocol: Protocol | None = Field(default=None, description="Any protocol if left out.")
    port_range_min: Integer | None = Field(default=None, ge=0, le=65535, description="ICMP: the type.")
    port_range_max: Integer | None = Field(default=None, ge=0, le=65535, description="ICMP: the code.")
    remote_ip_prefix: Cidr | None = Field(default=None, examples=["203.0.113.0/24"])
    remote_group_id: UUID | None = None
    description: ShortDescription = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        version = 4 if self.ethertype == "IPv4" else 6
        if self.remote_ip_prefix is not None and self.remote_group_id is not None:
            raise ValueError("Name a remote prefix or a remote group, not both.")
        if self.remote_ip_prefix and ipaddress.ip_network(self.remote_ip_prefix).version != version:
            raise ValueError(f"The remote prefix is not {self.ethertype}.")
        if self.protocol == "icmp" and version == 6:
            raise ValueError("For IPv6 the protocol is ipv6-icmp.")
        if self.protocol == "ipv6-icmp" and version == 4:
            raise ValueError("For IPv4 the protocol is icmp.")
        self._check_ports()
        return self

    def _check_ports(self) -> None:
        low, high = self.port_range_min, self.port_range_max
        if self.protocol is None and (low is not None or high is not None):
            raise ValueError("Ports need a protocol.")
        if self.protocol in ("tcp", "udp"):
            if (low is None) != (high is None):
                raise ValueError("Give both ends of the port range, or neither.")
            if low is not None and high is not None and not 1 <= low <= high:
                raise ValueError("A port range goes from the lower port, at least 1, to the higher.")
        elif low is None and high is not None:
            raise ValueError("An ICMP code needs a type.")
        elif max(low or 0, high or 0) > 255:
            raise ValueError("ICMP types and codes go up to 255.")


class SecurityGroupCreate(Input):
    """A security group. It lets everything out, and in what its rules admit."""

    name: Name
    description: Description = ""
    rules: list[RuleCreate] = Field(default_factory=list, max_length=50)


class RuleOut(Output):
    """A rule of a security group."""

    id: UUID
    security_group_id: UUID
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: UUID | None
    description: str
    created_at: datetime


class SecurityGroupOut(ResourceOut):
    """A security group with its rules."""

    is_default: bool
    rules: list[RuleOut]
