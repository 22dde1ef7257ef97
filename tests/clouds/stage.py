"""A cloud with two tenants, behind the same face whether it is in memory or of real services."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

from devcloud.openstack.credentials import Credentials
from platforma.clouds.blocks import LocalBlocks
from platforma.clouds.openstack import (
    AdministratorCredential,
    CloudAdministration,
    CloudConflict,
    CloudId,
    CloudKind,
    CloudPool,
    Clouds,
    OpenStackSettings,
    ProjectCloud,
    ProjectCredential,
)
from platforma.clouds.openstack.connection import Opened, open_project_connection
from platforma.clouds.openstack.fake import FakeCloud

T = TypeVar("T")

DEADLINE_SECONDS = 120.0
ROOM = {"security_groups": 1000, "security_group_rules": 5000, "networks": 1000, "subnets": 1000, "ports": 1000}
"""Quotas for the objects of all tests of a process."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Tenant:
    """A tenant with its project, its user and its credential."""

    id: UUID
    credential: ProjectCredential
    cloud: ProjectCloud


class Stage(Protocol):
    """What the contract's tests need besides the Protocols."""

    clouds: Clouds
    settings: OpenStackSettings
    administrator: AdministratorCredential

    @property
    def a(self) -> Tenant:
        """The tenant that acts."""

    @property
    def b(self) -> Tenant:
        """The other tenant."""

    def add_network(self, tenant: Tenant, name: str) -> CloudId:
        """Make a network behind our back."""


class _TwoTenants:
    clouds: Clouds
    settings: OpenStackSettings
    administrator: AdministratorCredential

    @cached_property
    def administration(self) -> CloudAdministration:
        return self.clouds.open_administration(self.settings, self.administrator)

    @cached_property
    def a(self) -> Tenant:
        return onboard(self.clouds, self.settings, self.administration)

    @cached_property
    def b(self) -> Tenant:
        return onboard(self.clouds, self.settings, self.administration)


class FakeStage(_TwoTenants):
    """In memory."""

    def __init__(self) -> None:
        self.fake = FakeCloud()
        self.clouds = self.fake
        self.settings = self.fake.settings
        self.administrator = self.fake.administrator

    def add_network(self, tenant: Tenant, name: str) -> CloudId:
        return self.fake.add(CloudKind.NETWORK, tenant.credential.project_id, name).cloud_id


class OpenStackStage(_TwoTenants):
    """Of real services."""

    def __init__(self, cloud: Credentials) -> None:
        self.clouds = CloudPool(blocks=LocalBlocks(Path(cloud.volumes_directory)))
        self.settings = OpenStackSettings(
            auth_url=cloud.auth_url, region=cloud.region, external_network=cloud.external_network, timeout_seconds=60
        )
        self.administrator = AdministratorCredential(username=cloud.admin.username, password=cloud.admin.password)

    def open_back_door(self, tenant: Tenant) -> Opened:
        """Return the SDK's own connection, with the tenant's rights."""
        return open_project_connection(self.settings, tenant.credential, {})

    def add_network(self, tenant: Tenant, name: str) -> CloudId:
        begun = int(time.time())
        wait_for(lambda: int(time.time()), lambda now: now > begun)  # in whole seconds, Neutron tells which is older
        return str(self.open_back_door(tenant).connection.network.create_network(name=name).id)


def onboard(clouds: Clouds, settings: OpenStackSettings, administration: CloudAdministration) -> Tenant:
    """Make a tenant's project, user and credential."""
    tenant_id = uuid4()
    project_id = administration.ensure_project(tenant_id, description="A tenant of the tests")
    administration.set_quotas(project_id, ROOM)
    user_id = administration.ensure_user(tenant_id, project_id)
    credential = administration.create_credential(project_id, user_id)
    return Tenant(tenant_id, credential, clouds.open_project(settings, credential))


def wait_for(observe: Callable[[], T], is_reached: Callable[[T], object]) -> T:
    """Look until it is as it should be; a conflict is not yet, and a deadline ends it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen: T | CloudConflict
    while True:
        try:
            seen = observe()
            if is_reached(seen):
                return seen
        except CloudConflict as error:
            seen = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"It is still {seen!r}.")
        time.sleep(POLL_SECONDS)
