"""The fake cloud: where tests open projects, plant faults, and look behind the scenes."""

from uuid import uuid4

from platforma.clouds.openstack.fake.administration import FakeAdministration, FakeIdentity
from platforma.clouds.openstack.fake.project import FakeProjectCloud
from platforma.clouds.openstack.fake.state import FakeState
from platforma.clouds.openstack.resources import (
    AdministratorCredential,
    OpenStackSettings,
    ProjectCredential,
)


class FakeCloud(FakeState):
    """As `Clouds`. A test makes one, hands it out where a `CloudPool` would be, and tells it when to fail."""

    def __init__(self, *, polls_until_ready: int = 1) -> None:
        super().__init__(polls_until_ready=polls_until_ready)
        self.identity = FakeIdentity()
        self.settings = OpenStackSettings(
            auth_url="http://cloud.test/v3", region="RegionOne", external_network="public"
        )
        self.administrator = AdministratorCredential(username="admin", password=FakeIdentity.administrator_password)

    def open_project(self, settings: OpenStackSettings, credential: ProjectCredential) -> FakeProjectCloud:
        """Return the project behind a credential; raises CloudCredentialInvalid."""
        self.identity.check(credential)
        return FakeProjectCloud(self, credential, self.identity.credentials)

    def open_administration(
        self, settings: OpenStackSettings, credential: AdministratorCredential
    ) -> FakeAdministration:
        """Return the administration; raises CloudCredentialInvalid."""
        administration = FakeAdministration(self, self.identity, settings, credential)
        administration.check_credential()
        return administration

    def make_project(self) -> ProjectCredential:
        """Return the credential of a new project of a tenant that nobody knows."""
        administration = self.open_administration(self.settings, self.administrator)
        tenant_id = uuid4()
        project_id = administration.ensure_project(tenant_id, description="")
        return administration.create_credential(project_id, administration.ensure_user(tenant_id, project_id))
