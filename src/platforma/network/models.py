"""Networks with their subnets, ports, routers, floating IPs, security groups with their rules."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.tables import Created, Grants, Meter, TenantOwned, tenant_reference
from platforma.operations.models import RESOURCE_GRANTS, Resource


class Network(Resource):
    """A private network. Reconciled together with its subnets."""

    __tablename__ = "networks"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None


class Router(Resource):
    """Joins subnets of the tenant, and leads to the outside if `has_external_gateway`."""

    __tablename__ = "routers"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None

    has_external_gateway: Mapped[bool] = mapped_column(server_default="true")
    external_address: Mapped[str | None]


class Subnet(Resource):
    """An address range of a network; `router_id` says which router it is attached to, if any."""

    __tablename__ = "subnets"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None
    __table_args__ = (
        tenant_reference("network_id", "networks"),
        tenant_reference("router_id", "routers"),
        tenant_reference("attached_router_id", "routers"),
        Index(None, "tenant_id", "network_id"),
        Index(None, "tenant_id", "router_id"),
        Index(None, "tenant_id", "attached_router_id"),
        CheckConstraint("ip_version IN (4, 6)", name="ip_version"),
        CheckConstraint("ipv6_mode IN ('slaac', 'dhcpv6-stateless', 'dhcpv6-stateful')", name="ipv6_mode"),
    )

    network_id: Mapped[UUID]
    router_id: Mapped[UUID | None]
    attached_router_id: Mapped[UUID | None]
    """The router that it is attached to in the cloud, or about to be: written before it is attached."""
    ip_version: Mapped[int]
    cidr: Mapped[str]
    gateway_ip: Mapped[str | None]
    has_dhcp: Mapped[bool] = mapped_column(server_default="true")
    ipv6_mode: Mapped[str | None]
    """How servers get their IPv6 addresses, as Neutron names it; None for SLAAC too. Needs `has_dhcp`."""
    dns_nameservers: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


class Port(Resource):
    """A place on a network, with addresses of its own: a server's, or free for one."""

    __tablename__ = "ports"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None
    __table_args__ = (
        tenant_reference("network_id", "networks"),
        tenant_reference("server_id", "servers", ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "server_id", "network_id"),
        Index(None, "tenant_id", "network_id"),
    )

    network_id: Mapped[UUID]
    server_id: Mapped[UUID | None]
    goes_with_server: Mapped[bool] = mapped_column(server_default="false")
    """Whether it was made for its server, and is deleted when the server has it no more."""
    fixed_addresses: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """The addresses that it shall have; of an IP version that none is of, what the cloud gives."""
    addresses: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """As last seen."""
    allowed_addresses: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """Addresses besides its own that may be sent from: single ones, or ranges in CIDR notation."""


class PortSecurityGroup(TenantOwned):
    """A security group on one port. A server's port that has none is in its server's groups."""

    __tablename__ = "port_security_groups"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __table_args__ = (
        tenant_reference("port_id", "ports", ondelete="CASCADE"),
        tenant_reference("security_group_id", "security_groups"),
        UniqueConstraint("tenant_id", "port_id", "security_group_id"),
        Index(None, "tenant_id", "security_group_id"),
    )

    port_id: Mapped[UUID]
    security_group_id: Mapped[UUID]


class FloatingIp(Resource):
    """An address of the external network, which leads to a port or to nothing."""

    __tablename__ = "floating_ips"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = Meter("CASE WHEN r.cloud_id IS NOT NULL THEN 'floating_ip' END")
    __table_args__ = (tenant_reference("port_id", "ports"), UniqueConstraint("tenant_id", "port_id"))

    port_id: Mapped[UUID | None]
    address: Mapped[str | None]


class SecurityGroup(Resource):
    """A set of rules that admit traffic; everything else is dropped. Reconciled with its rules."""

    __tablename__ = "security_groups"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None

    is_default: Mapped[bool] = mapped_column(server_default="false")
    """The project's own group, which new servers get; made with the tenant and deleted with it."""


class SecurityGroupRule(Created, TenantOwned):
    """Traffic that a security group admits."""

    __tablename__ = "security_group_rules"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __table_args__ = (
        tenant_reference("security_group_id", "security_groups", ondelete="CASCADE"),
        tenant_reference("remote_group_id", "security_groups"),
        Index(None, "tenant_id", "security_group_id"),
        Index(None, "tenant_id", "remote_group_id"),
        CheckConstraint("direction IN ('ingress', 'egress')", name="direction"),
        CheckConstraint("ethertype IN ('IPv4', 'IPv6')", name="ethertype"),
    )

    security_group_id: Mapped[UUID]
    direction: Mapped[str]
    ethertype: Mapped[str]
    protocol: Mapped[str | None]
    port_range_min: Mapped[int | None]
    port_range_max: Mapped[int | None]
    remote_ip_prefix: Mapped[str | None]
    remote_group_id: Mapped[UUID | None]
    description: Mapped[str] = mapped_column(server_default="")
    cloud_id: Mapped[str | None]
