"""The fake cloud's administration."""

from collections.abc import Mapping
from uuid import UUID

from platforma.clouds.openstack.errors import CloudCredentialInvalid, CloudNotFound, CloudRefused
from platforma.clouds.openstack.fake.compute import FLAVORS, IMAGES
from platforma.clouds.openstack.fake.network import DEFAULT_GROUP
from platforma.clouds.openstack.fake.state import FakeState, cloud_call
from platforma.clouds.openstack.quotas import check_quota_names
from platforma.clouds.openstack.resources import (
    AdministratorCredential,
    CloudFlavor,
    CloudImage,
    CloudKind,
    CloudObject,
    CloudVolumeType,
    Finding,
    OpenStackSettings,
    ProjectCredential,
)


class FakeAdministration:
    """As `CloudAdministration`."""

    project_id = None

    def __init__(
        self,
        state: FakeState,
        identity: "FakeIdentity",
        settings: OpenStackSettings,
        credential: AdministratorCredential,
    ) -> None:
        self.state = state
        self._identity = identity
        self._settings = settings
        self._credential = credential

    def check_credential(self) -> None:
        """Raise CloudCredentialInvalid unless this is the administrator's password."""
        if self._credential.password != self._identity.administrator_password:
            raise CloudCredentialInvalid

    @cloud_call
    def ensure_project(self, tenant_id: UUID, *, description: str) -> str:
        project_id = tenant_id.hex
        if project_id not in self._identity.projects:
            self._identity.projects.add(project_id)
            self.state.add(CloudKind.SECURITY_GROUP, project_id, DEFAULT_GROUP, status=None, rules={})
        return project_id

    @cloud_call
    def ensure_user(self, tenant_id: UUID, project_id: str) -> str:
        if project_id not in self._identity.projects:
            raise CloudNotFound
        user_id = f"user-{tenant_id.hex}"
        self._identity.users[user_id] = project_id
        return user_id

    @cloud_call
    def create_credential(self, project_id: str, user_id: str) -> ProjectCredential:
        if self._identity.users.get(user_id) != project_id:
            raise CloudRefused("The user has no role in the project.")
        return self._identity.create_credential(project_id, user_id)

    @cloud_call
    def verify_confined(self, credential: ProjectCredential) -> None:
        self._identity.check(credential)

    @cloud_call
    def set_quotas(self, project_id: str, quotas: Mapping[str, int]) -> None:
        check_quota_names(quotas)
        if project_id not in self._identity.projects:
            raise CloudNotFound
        self.state.quotas.setdefault(project_id, {}).update(quotas)

    @cloud_call
    def delete_foreign_rules(self, project_id: str) -> None:
        for group in self.state.list(CloudKind.SECURITY_GROUP, project_id):
            group.attributes.pop("foreign_rules", None)

    @cloud_call
    def list_flavors(self) -> list[CloudFlavor]:
        return list(FLAVORS)

    @cloud_call
    def list_public_images(self) -> list[CloudImage]:
        return list(IMAGES)

    @cloud_call
    def list_volume_types(self) -> list[CloudVolumeType]:
        return [CloudVolumeType(f"type-{name}", name) for name in sorted(self.state.volume_types)]

    @cloud_call
    def empty_project(self, project_id: str) -> list[CloudObject]:
        for kind in CloudKind:
            if kind in {CloudKind.PORT, CloudKind.VOLUME} and self.state.list(CloudKind.SERVER, project_id):
                break
            for item in self.state.list(kind, project_id):
                if kind not in {CloudKind.SERVER, CloudKind.VOLUME}:
                    if item.name != DEFAULT_GROUP:
                        self.state.remove(item)
                elif item.next_status != "":
                    self.state.settle(item, "")
                else:
                    self.state.look(item)
        kept = {CloudKind.SECURITY_GROUP: DEFAULT_GROUP}
        return [
            item.observed()
            for kind in CloudKind
            for item in self.state.list(kind, project_id)
            if kept.get(kind) != item.name
        ]

    @cloud_call
    def delete_project(self, project_id: str) -> bool:
        for kind in CloudKind:
            for item in self.state.list(kind, project_id):
                if item.name == DEFAULT_GROUP:
                    self.state.remove(item)
        self._identity.projects.discard(project_id)
        self._identity.forget(project_id=project_id)
        return True

    @cloud_call
    def delete_user(self, user_id: str) -> bool:
        self._identity.users.pop(user_id, None)
        self._identity.forget(user_id=user_id)
        return True

    @cloud_call
    def check(self) -> list[Finding]:
        return [Finding(subject="fake cloud", is_good=True, message="It is in memory, and answers.")]


class FakeIdentity:
    """The fake Keystone: projects, users and their credentials."""

    administrator_password = "fake-administrator"  # noqa: S105 - of a cloud that does not exist

    def __init__(self) -> None:
        self.projects: set[str] = set()
        self.users: dict[str, str] = {}
        self.credentials: dict[str, ProjectCredential] = {}
        self._count = 0

    def create_credential(self, project_id: str, user_id: str) -> ProjectCredential:
        """Make a credential, in the place of the user's earlier ones."""
        self.forget(user_id=user_id)
        self._count += 1
        made = ProjectCredential(project_id, user_id, f"credential-{self._count}", f"secret-{self._count}")
        self.credentials[made.credential_id] = made
        return made

    def check(self, credential: ProjectCredential) -> None:
        """Raise CloudCredentialInvalid unless this very credential is accepted."""
        if self.credentials.get(credential.credential_id) != credential:
            raise CloudCredentialInvalid

    def forget(self, *, project_id: str | None = None, user_id: str | None = None) -> None:
        """Drop the credentials of a project or a user."""
        for each in list(self.credentials.values()):
            if project_id == each.project_id or user_id == each.user_id:
                del self.credentials[each.credential_id]
