"""What a project looks like as a whole, as far as walls between tenants are made of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from platforma.clouds.openstack.resources import CloudId, CloudKind, CloudObject
from platforma.clouds.openstack.rules import Traffic


@dataclass(frozen=True, slots=True)
class SurveyedPort:
    """A port, and what it may do besides being itself."""

    cloud_id: CloudId
    is_secured: bool
    group_cloud_ids: frozenset[CloudId]
    allowed_addresses: tuple[str, ...] = ()
    dhcp_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SurveyedRouter:
    """A router. `routes` are those that somebody set by hand."""

    cloud_id: CloudId
    has_external_gateway: bool
    routes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SurveyedShare:
    """Something of the project that others may use."""

    cloud_id: CloudId
    object_kind: str
    object_cloud_id: CloudId
    action: str
    target: str


@dataclass(frozen=True)
class CloudSurvey:
    """The project at one moment. `objects` has everything but Neutron's own ports."""

    objects: Mapping[CloudKind, tuple[CloudObject, ...]]
    rules: Mapping[CloudId, Mapping[CloudId, Traffic]]
    """By security group, then by rule."""
    ports: tuple[SurveyedPort, ...]
    routers: tuple[SurveyedRouter, ...]
    shares: tuple[SurveyedShare, ...]
    floating_ips: Mapping[CloudId, CloudId | None]
    """The port that each leads to."""
    unsecured_networks: frozenset[CloudId]
    """Networks whose new ports would have no port security."""
    host_routes: Mapping[CloudId, tuple[str, ...]]
    """By subnet: routes that its servers are told by DHCP."""
    attached: frozenset[tuple[CloudId, CloudId]] = frozenset()
    """Volumes and the servers that have them, in Cinder's eyes."""
    held: frozenset[tuple[CloudId, CloudId]] = frozenset()
    """The same in Nova's eyes, volumes of nobody knows whom among them."""
