"""What Platforma asks of OpenStack: the tenant's own project for workers, the administration for the provisioner.

Every method is synchronous, has a deadline, and raises nothing but a `CloudError`. An `ensure_` method finds the
object by the name derived from our id, creates it if it is not there, mends what differs, and may be called any number
of times. A `delete_` method says whether the object is gone yet; what was never there is gone.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from platforma.clouds.blocks.protocol import BlockDevice
from platforma.clouds.openstack.resources import (
    AdministratorCredential,
    CloudFlavor,
    CloudFloatingIp,
    CloudId,
    CloudImage,
    CloudKeyPair,
    CloudKind,
    CloudNetwork,
    CloudObject,
    CloudPort,
    CloudRouter,
    CloudSecurityGroup,
    CloudServer,
    CloudSubnet,
    CloudVolume,
    CloudVolumeType,
    Finding,
    Ipv6Mode,
    OpenStackSettings,
    ProjectCredential,
    Reference,
    RuleSpec,
    VolumeSource,
)
from platforma.clouds.openstack.survey import CloudSurvey


class NetworkCloud(Protocol):
    """Networks, subnets, routers and floating IPs of the project."""

    def ensure_network(self, id_: UUID, *, description: str) -> CloudNetwork:
        """Have a private network, shared with nobody."""

    def delete_network(self, reference: Reference) -> bool:
        """Delete a network with its subnets; raises CloudConflict while ports are on it."""

    def ensure_subnet(
        self,
        id_: UUID,
        *,
        network_cloud_id: CloudId,
        cidr: str,
        ip_version: int,
        gateway_ip: str | None,
        has_dhcp: bool,
        dns_nameservers: Sequence[str],
        description: str,
        ipv6_mode: Ipv6Mode = "slaac",
    ) -> CloudSubnet:
        """Have an address range on a network; without `gateway_ip` the first address is the gateway's.

        IPv6 addresses are handed out as `ipv6_mode` says, or with `has_dhcp=False` not at all. The mode of a subnet
        that is there is not changed.
        """

    def delete_subnet(self, reference: Reference) -> bool:
        """Delete a subnet; raises CloudConflict while ports have its addresses."""

    def ensure_router(self, id_: UUID, *, has_external_gateway: bool, description: str) -> CloudRouter:
        """Have a router, with or without a gateway to the external network, and with no static route."""

    def delete_router(self, reference: Reference) -> bool:
        """Detach the router's subnets and delete it."""

    def list_router_subnets(self, router_cloud_id: CloudId) -> set[CloudId]:
        """Return the subnets that are attached to the router."""

    def attach_subnet(self, router_cloud_id: CloudId, subnet_cloud_id: CloudId) -> None:
        """Attach a subnet to the router. Raises CloudNotFound unless both are the project's own."""

    def detach_subnet(self, router_cloud_id: CloudId, subnet_cloud_id: CloudId) -> None:
        """Detach a subnet from the router, if it is attached."""

    def ensure_floating_ip(self, id_: UUID, *, port_cloud_id: CloudId | None) -> CloudFloatingIp:
        """Have an address of the external network that leads to the port's first IPv4 address, or nowhere.

        Raises CloudNotFound unless the port is the project's own and its subnet has a router with a gateway outside,
        CloudRefused if the port has no IPv4 address.
        """

    def delete_floating_ip(self, reference: Reference) -> bool:
        """Release a floating IP."""


class SecurityCloud(Protocol):
    """Security groups, and ports, which are where they bite."""

    def find_default_security_group(self) -> CloudSecurityGroup | None:
        """Return the group that Neutron made with the project, or None before the project's first use."""

    def ensure_security_group(self, id_: UUID, *, description: str) -> CloudSecurityGroup:
        """Have a security group. A new one admits nothing, in neither direction."""

    def replace_rules(self, group_cloud_id: CloudId, rules: Sequence[RuleSpec]) -> dict[UUID, CloudId]:
        """Have exactly these rules in the group, and return the cloud id of each. Rules in place stay untouched.

        Rules that admit the same traffic are one rule in the cloud, and share its id.
        """

    def delete_security_group(self, reference: Reference) -> bool:
        """Delete a security group; raises CloudConflict while ports use it."""

    def ensure_port(
        self,
        id_: UUID,
        *,
        network_cloud_id: CloudId,
        security_group_cloud_ids: Sequence[CloudId],
        allowed_addresses: Sequence[str] = (),
        fixed_addresses: Sequence[str] = (),
    ) -> CloudPort:
        """Have a port with exactly these groups, its security on.

        It may send from `allowed_addresses` besides its own, which are addresses or ranges. It has `fixed_addresses`;
        of an IP version that none of them is of it gets what the cloud gives, and all of that if there is none. Raises
        CloudRefused unless all of these lie within the network's own subnets, and for an address that is taken.
        """

    def get_port(self, cloud_id: CloudId) -> CloudPort:
        """Return the port; raises CloudNotFound."""

    def delete_port(self, reference: Reference) -> bool:
        """Delete a port."""


class ComputeCloud(Protocol):
    """Key pairs and servers."""

    def ensure_key_pair(self, id_: UUID, *, public_key: str) -> CloudKeyPair:
        """Have a key pair with this public key in OpenSSH's format."""

    def delete_key_pair(self, reference: Reference) -> bool:
        """Delete a key pair; servers keep what they were made with."""

    def ensure_server(
        self,
        id_: UUID,
        *,
        hostname: str,
        flavor_cloud_id: CloudId,
        image_cloud_id: CloudId,
        key_pair_name: str | None,
        port_cloud_ids: Sequence[CloudId],
        metadata: Mapping[str, str],
    ) -> CloudServer:
        """Have a server on these ports. `hostname` is made fit for RFC 1123; a server that is there is not changed."""

    def get_server(self, cloud_id: CloudId) -> CloudServer:
        """Return the server; raises CloudNotFound."""

    def start_server(self, cloud_id: CloudId) -> None:
        """Start the server unless it runs; raises CloudConflict while it is in transition."""

    def stop_server(self, cloud_id: CloudId) -> None:
        """Stop the server unless it is stopped; raises CloudConflict while it is in transition."""

    def reboot_server(self, cloud_id: CloudId, *, hard: bool) -> None:
        """Reboot the server. Each call is a reboot."""

    def count_reboots(self, cloud_id: CloudId) -> int:
        """Return how many reboots of the server the cloud has been asked for, by anybody and ever.

        It counts before it acts: who has no answer to `reboot_server` learns from this whether it was heard.
        """

    def console_output(self, cloud_id: CloudId, *, lines: int) -> str:
        """Return the last lines that the server wrote to its console."""

    def attach_port(self, server_cloud_id: CloudId, port_cloud_id: CloudId) -> None:
        """Put the port at the server, unless it is there.

        Raises CloudNotFound unless both are the project's own, CloudConflict while the port is at another server or
        the server is in transition.
        """

    def detach_port(self, server_cloud_id: CloudId, port_cloud_id: CloudId) -> None:
        """Ask for the port to be taken from the server, if it is there. It stays, without a server."""

    def delete_server(self, reference: Reference) -> bool:
        """Delete a server, by force if it is in error."""


class VolumeCloud(Protocol):
    """Volumes and their attachments."""

    def ensure_volume(
        self,
        id_: UUID,
        *,
        size_gib: int,
        description: str,
        source: VolumeSource | None = None,
        volume_type: str | None = None,
    ) -> CloudVolume:
        """Have a volume, empty or a copy of its source; one that is there keeps its size, content and type.

        Without the name of a type it is of the cloud's default. Raises CloudNotFound for another project's source.
        """

    def get_volume(self, cloud_id: CloudId) -> CloudVolume:
        """Return the volume; raises CloudNotFound."""

    def extend_volume(self, cloud_id: CloudId, *, size_gib: int) -> CloudVolume:
        """Ask for the volume to grow to this size, unless it has it or is on its way; it never shrinks."""

    def attach_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> CloudVolume:
        """Ask for the volume to be attached to the server, unless it is or is on its way.

        Raises CloudNotFound unless both are the project's own, CloudConflict while it is at another server.
        """

    def detach_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> CloudVolume:
        """Ask for the volume to be detached from the server, unless it is not there or on its way."""

    def list_server_volumes(self, server_cloud_id: CloudId) -> set[CloudId]:
        """Return the volumes that the server has in Nova's eyes, whatever Cinder says."""

    def list_holders(self, volume_cloud_id: CloudId) -> set[CloudId]:
        """Return the project's servers that have a volume in Nova's eyes, whatever Cinder says."""

    def sever_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> None:
        """Take a volume away from a server that has it in Nova's eyes and not in Cinder's (CVE-2023-2088).

        Raises CloudRefused or CloudConflict if the cloud does not do it now. Safe to repeat.
        """

    def open_volume(self, cloud_id: CloudId) -> BlockDevice:
        """Open the volume's bytes on this machine, which keeps everybody else from it until `release_volume`.

        Raises CloudConflict while a server has it or another process has it open, CloudRefused if this machine cannot.
        """

    def release_volume(self, cloud_id: CloudId) -> None:
        """Take back the connections that `open_volume` has made, of this process or of one that has died."""

    def delete_volume(self, reference: Reference) -> bool:
        """Delete a volume; raises CloudConflict while it is attached or has snapshots."""

    def delete_snapshot(self, reference: Reference) -> bool:
        """Delete a snapshot."""


class SurveyCloud(Protocol):
    """The project as a whole, looked at to find what somebody changed behind our back."""

    def survey(self) -> CloudSurvey:
        """Return what the project looks like."""

    def delete_share(self, cloud_id: CloudId) -> bool:
        """Take back a grant by which others may use something of the project."""


class ProjectCloud(NetworkCloud, SecurityCloud, ComputeCloud, VolumeCloud, SurveyCloud, Protocol):
    """One tenant's project, through the tenant's own credential.

    What belongs to another project does not exist here, whatever the cloud answers: CloudForeignObject, which is a
    CloudNotFound.
    """

    @property
    def project_id(self) -> str:
        """The project that everything here is in."""

    def inventory(self) -> dict[CloudKind, list[CloudObject]]:
        """Return everything that is in the project, of every kind, whoever made it."""


class CloudAdministration(Protocol):
    """The platform administrator's acts: projects, users, credentials, quotas, the catalogue."""

    def ensure_project(self, tenant_id: UUID, *, description: str) -> str:
        """Have the tenant's project, enabled, and return its id."""

    def ensure_user(self, tenant_id: UUID, project_id: str) -> str:
        """Have the tenant's user, whose password nobody knows, with the role `member` in that project and no other.

        Returns the user's id.
        """

    def create_credential(self, project_id: str, user_id: str) -> ProjectCredential:
        """Make a fresh application credential of the user for the project; older ones of ours stop working."""

    def verify_confined(self, credential: ProjectCredential) -> None:
        """Open the credential; raises CloudCredentialInvalid unless it leads to its project and no further."""

    def set_quotas(self, project_id: str, quotas: Mapping[str, int]) -> None:
        """Set the quotas that are named, in Nova, Neutron and Cinder; raises ValueError for an unknown name."""

    def delete_foreign_rules(self, project_id: str) -> None:
        """Delete the rules in the project's security groups that are of another project.

        They open the project's group, and Neutron lets its own credential see them, but not delete them.
        """

    def list_flavors(self) -> list[CloudFlavor]:
        """Return the flavours that are open to every project."""

    def list_public_images(self) -> list[CloudImage]:
        """Return the images that are open to every project and ready for use."""

    def list_volume_types(self) -> list[CloudVolumeType]:
        """Return the volume types that are open to every project, by name."""

    def empty_project(self, project_id: str) -> list[CloudObject]:
        """Remove what can be removed from the project now, and return what is left. Call again until it is empty."""

    def delete_project(self, project_id: str) -> bool:
        """Delete the project; empty it first, or its objects are orphans."""

    def delete_user(self, user_id: str) -> bool:
        """Delete the user, and with it its application credentials."""

    def check(self) -> list[Finding]:
        """Look at the cloud as a whole: its services, the administrator's rights, the external network."""


class Clouds(Protocol):
    """Where clouds are opened: the real `CloudPool`, or a `FakeCloud`."""

    def open_project(self, settings: OpenStackSettings, credential: ProjectCredential) -> ProjectCloud:
        """Return the tenant's project; raises CloudCredentialInvalid unless the credential is confined to it."""

    def open_administration(
        self, settings: OpenStackSettings, credential: AdministratorCredential
    ) -> CloudAdministration:
        """Return the cloud's administration; raises CloudCredentialInvalid if the administrator is refused."""
