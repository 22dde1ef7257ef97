"""How a worker gets at clouds: it unseals a credential, and opens a tenant's project or part of a cluster with it."""

from typing import Any
from uuid import UUID

from platforma.clouds.errors import CloudCredentialInvalid
from platforma.clouds.kubernetes import ClusterAdministration, ClusterCredential, Clusters, TenantCluster
from platforma.clouds.openstack.protocol import CloudAdministration, Clouds, ProjectCloud
from platforma.clouds.openstack.resources import AdministratorCredential, OpenStackSettings, ProjectCredential
from platforma.kit.crypto import KeyRing, UnsealError
from platforma.kubernetes.sealing import access_owner, administrator_owner
from platforma.operations.keys import AdministrationKey, ClusterKey, Key, NoKey, ProjectKey
from platforma.operations.models import Plane
from platforma.settings import OpenStackCloudSettings, Settings, SettingsError, need
from platforma.tenants.models import OPENSTACK


class CloudAccess:
    """The clouds that one worker process may open.

    The tenants' worker has no administrator's credential, so that `administration` raises SettingsError there.
    """

    def __init__(
        self,
        clouds: Clouds,
        settings: OpenStackSettings,
        keys: KeyRing,
        administrator: AdministratorCredential | None = None,
        clusters: Clusters | None = None,
    ) -> None:
        self._clouds = clouds
        self._settings = settings
        self._keys = keys
        self._administrator = administrator
        self._clusters = clusters

    @property
    def public_key(self) -> bytes:
        """The key to which operators seal what only the provisioner may open."""
        return self._keys.public_key

    @property
    def has_external_network(self) -> bool:
        """Whether the cloud has a network that leads to the outside."""
        return self._settings.external_network is not None

    def seal(self, tenant_id: UUID, credential: ProjectCredential) -> bytes:
        """Encrypt a tenant's credential so that it opens for that tenant only."""
        return self._keys.seal(credential.to_bytes(), owner=_owner(tenant_id))

    def open_project(self, tenant_id: UUID, sealed: bytes) -> ProjectCloud:
        """Open the tenant's project. Raises CloudCredentialInvalid if the credential was sealed for another tenant."""
        try:
            credential = ProjectCredential.from_bytes(self._keys.open(sealed, owner=_owner(tenant_id)))
        except UnsealError as error:
            raise CloudCredentialInvalid from error
        return self._clouds.open_project(self._settings, credential)

    def open_administration(self) -> CloudAdministration:
        """Open the cloud's administration, in the provisioner only."""
        clouds, settings, administrator = self.as_administrator()
        return clouds.open_administration(settings, administrator)

    def as_administrator(self) -> tuple[Clouds, OpenStackSettings, AdministratorCredential]:
        """Return what opens any project of the cloud, in the provisioner only."""
        if self._administrator is None:
            raise SettingsError("This process has no administrator's credential of the cloud.")
        return self._clouds, self._settings, self._administrator

    def seal_cluster(self, cluster_id: UUID, credential: ClusterCredential) -> bytes:
        """Encrypt the tenants' worker's credential of a cluster so that it opens for that cluster only."""
        return self._keys.seal(credential.to_bytes(), owner=access_owner(cluster_id))

    def open_cluster(self, tenant_id: UUID, key: ClusterKey) -> TenantCluster:
        """Open a tenant's part of a cluster. Raises CloudCredentialInvalid if the key is another cluster's."""
        try:
            raw = self._keys.open(key.sealed, owner=access_owner(key.cluster_id))
            credential = ClusterCredential.from_bytes(raw)
        except (UnsealError, ValueError) as error:
            raise CloudCredentialInvalid from error
        return self._need_clusters().open_tenant(credential, tenant_id)

    def open_cluster_administration(self, cluster_id: UUID, sealed: bytes) -> ClusterAdministration:
        """Open a cluster with what an operator has sealed for the provisioner; raises CloudCredentialInvalid."""
        try:
            raw = self._keys.open_sealed_to(sealed, owner=administrator_owner(cluster_id))
            credential = ClusterCredential.from_kubeconfig(raw.decode())
        except (UnsealError, ValueError) as error:
            raise CloudCredentialInvalid from error
        return self._need_clusters().open_administration(credential)

    def _need_clusters(self) -> Clusters:
        if self._clusters is None:
            raise SettingsError("This process opens no cluster.")
        return self._clusters

    def open(self, tenant_id: UUID, key: Key) -> Any:
        """Open what a reconciler works on, or return None if that is no cloud."""
        match key:
            case ProjectKey():
                return self.open_project(tenant_id, key.sealed)
            case ClusterKey():
                return self.open_cluster(tenant_id, key)
            case AdministrationKey():
                return self.open_administration()
            case NoKey():
                return None


def openstack_settings(settings: OpenStackCloudSettings) -> OpenStackSettings:
    """Return where the cloud is, as the cloud's client wants it."""
    return OpenStackSettings(
        auth_url=settings.auth_url,
        region=settings.region,
        interface=settings.interface,
        ca_file=settings.ca_file,
        external_network=settings.external_network,
        timeout_seconds=settings.timeout_seconds,
    )


def administrator_credential(settings: OpenStackCloudSettings) -> AdministratorCredential:
    """Return the administrator's credential; raises SettingsError if this process has none."""
    if settings.administrator_username is None:
        raise SettingsError("Set PLATFORMA_OPENSTACK__ADMINISTRATOR_USERNAME.")
    return AdministratorCredential(
        username=settings.administrator_username,
        password=need(settings.administrator_password, "OPENSTACK__ADMINISTRATOR_PASSWORD"),
        project_name=settings.administrator_project_name,
        user_domain_name=settings.administrator_user_domain_name,
        project_domain_name=settings.administrator_project_domain_name,
    )


def cloud_access(settings: Settings, clouds: Clouds, plane: Plane, clusters: Clusters | None = None) -> CloudAccess:
    """Return the access of a worker process of this plane; raises SettingsError for what is missing."""
    if settings.openstack is None:
        raise SettingsError("Set PLATFORMA_OPENSTACK__AUTH_URL.")
    if not settings.credential_keys:
        raise SettingsError("Set PLATFORMA_CREDENTIAL_KEYS.")
    return CloudAccess(
        clouds,
        openstack_settings(settings.openstack),
        KeyRing([key.get_secret_value() for key in settings.credential_keys]),
        administrator_credential(settings.openstack) if plane is Plane.PLATFORM else None,
        clusters,
    )


def _owner(tenant_id: UUID) -> bytes:
    """Return the associated data that ties a sealed credential to its tenant and its cloud."""
    return tenant_id.bytes + b"/" + OPENSTACK.encode()
