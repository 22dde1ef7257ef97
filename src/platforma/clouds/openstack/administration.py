"""The platform administrator's acts. Only the provisioner has the credential for them."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from platforma.clouds.openstack.connection import (
    Opened,
    open_password_connection,
    open_project_connection,
    open_when_accepted,
    refuse_administrator,
)
from platforma.clouds.openstack.emptying import empty_project
from platforma.clouds.openstack.errors import CloudAnswerInvalid, CloudCredentialInvalid, CloudNotFound, CloudRefused
from platforma.clouds.openstack.examination import examine_cloud
from platforma.clouds.openstack.kinds import SECURITY_GROUPS, required
from platforma.clouds.openstack.quotas import COMPUTE_QUOTAS, NETWORK_QUOTAS, VOLUME_QUOTAS, check_quota_names
from platforma.clouds.openstack.resources import (
    AdministratorCredential,
    CloudFlavor,
    CloudImage,
    CloudObject,
    CloudVolumeType,
    Finding,
    ProjectCredential,
    cloud_name,
)
from platforma.clouds.openstack.security import DEFAULT_GROUP
from platforma.clouds.openstack.translation import at_border, border

TENANT_ROLE = "member"
CREDENTIAL_NAME = "platforma"


class OpenStackAdministration:
    """As `CloudAdministration`."""

    def __init__(
        self,
        opened: Opened,
        credential: AdministratorCredential,
        discovered: dict[str, Any],
        forget: Callable[[], None],
    ) -> None:
        self.forget = forget
        self._opened = opened
        self._connection = opened.connection
        self._credential = credential
        self._discovered = discovered

    @at_border
    def ensure_project(self, tenant_id: UUID, *, description: str) -> str:
        identity, name, domain = self._connection.identity, cloud_name(tenant_id), self._tenant_domain()
        found = [each for each in identity.projects(name=name, domain_id=domain) if each.name == name]
        if not found:
            made = identity.create_project(name=name, domain_id=domain, description=description)
            return str(required(made.id, "id"))
        if found[0].description != description or not found[0].is_enabled:
            identity.update_project(found[0].id, description=description, is_enabled=True)
        return str(required(found[0].id, "id"))

    @at_border
    def ensure_user(self, tenant_id: UUID, project_id: str) -> str:
        identity, name, domain = self._connection.identity, cloud_name(tenant_id), self._tenant_domain()
        found = [each for each in identity.users(name=name, domain_id=domain) if each.name == name]
        user_id = (
            found[0].id
            if found
            else identity.create_user(
                name=name, domain_id=domain, default_project_id=project_id, password=_random_password()
            ).id
        )
        role = self._tenant_role()
        has_role = False
        for assignment in identity.role_assignments(user_id=user_id):
            scope = (assignment.scope or {}).get("project") or {}
            if assignment.role["id"] == role.id and scope.get("id") == project_id:
                has_role = True
            elif scope:
                identity.unassign_project_role_from_user(scope["id"], user_id, assignment.role["id"])
            else:
                raise CloudRefused(f"The user {name} has a role beyond projects. Take it away first.")
        if not has_role:
            identity.assign_project_role_to_user(project_id, user_id, role.id)
        return str(required(user_id, "id"))

    @at_border
    def create_credential(self, project_id: str, user_id: str) -> ProjectCredential:
        """Make it as the user itself, which Keystone demands, with a password that is replaced at once."""
        password = _random_password()
        settings, identity = self._opened.settings, self._connection.identity
        identity.update_user(user_id, password=password)
        try:
            user = open_when_accepted(
                lambda: open_password_connection(
                    settings, self._discovered, user_id=user_id, password=password, project_id=project_id
                )
            ).connection
            for old in user.identity.application_credentials(user_id, name=CREDENTIAL_NAME):
                user.identity.delete_application_credential(user_id, old.id)
            made = user.identity.create_application_credential(
                user_id, CREDENTIAL_NAME, roles=[{"name": TENANT_ROLE}], unrestricted=False
            )
        finally:
            identity.update_user(user_id, password=_random_password())
        credential = ProjectCredential(
            project_id=project_id,
            user_id=user_id,
            credential_id=required(made.id, "id"),
            secret=required(made.secret, "secret"),
        )
        open_when_accepted(lambda: open_project_connection(settings, credential, self._discovered))
        return credential

    @at_border
    def verify_confined(self, credential: ProjectCredential) -> None:
        open_project_connection(self._opened.settings, credential, self._discovered)
        identity = self._connection.identity
        found = identity.get_application_credential(credential.user_id, credential.credential_id)
        if found.unrestricted is not False:
            raise CloudCredentialInvalid("It may make further credentials.")
        if found.project_id != credential.project_id:
            raise CloudCredentialInvalid("It leads to another project than it should.")
        refuse_administrator(role["name"] for role in found.roles)

    def set_quotas(self, project_id: str, quotas: Mapping[str, int]) -> None:
        """Set the quotas that are named, in Nova, Neutron and Cinder; raises ValueError for an unknown name."""
        check_quota_names(quotas)
        self._set_quotas(project_id, quotas)

    @at_border
    def _set_quotas(self, project_id: str, quotas: Mapping[str, int]) -> None:
        if compute := _named(quotas, COMPUTE_QUOTAS):
            self._connection.compute.update_quota_set(project_id, force=True, **compute)
        if network := _named(quotas, NETWORK_QUOTAS):
            self._connection.network.update_quota(project_id, **network)
        if volume := _named(quotas, VOLUME_QUOTAS):
            self._connection.block_storage.update_quota_set(project_id, **volume)

    @at_border
    def delete_foreign_rules(self, project_id: str) -> None:
        for group in SECURITY_GROUPS.list_of_any_project(self._connection, project_id):
            for rule in required(group.security_group_rules, "rules"):
                if required(rule.get("project_id"), "project of a rule") != project_id:
                    self._connection.network.delete_security_group_rule(rule["id"], ignore_missing=True)

    @at_border
    def list_flavors(self) -> list[CloudFlavor]:
        return [
            CloudFlavor(
                cloud_id=required(each.id, "id"),
                name=required(each.name, "name"),
                vcpus=int(required(each.vcpus, "number of CPUs")),
                ram_mib=int(required(each.ram, "memory")),
                disk_gib=int(required(each.disk, "disk")),
            )
            for each in self._connection.compute.flavors(is_public=True)
            if not each.is_disabled
        ]

    @at_border
    def list_public_images(self) -> list[CloudImage]:
        return [
            CloudImage(
                cloud_id=required(each.id, "id"),
                name=each.name or each.id,
                minimum_disk_gib=each.min_disk or 0,
                minimum_ram_mib=each.min_ram or 0,
            )
            for each in self._connection.image.images(visibility="public", status="active")
            if each.visibility == "public" and each.status == "active"
        ]

    @at_border
    def list_volume_types(self) -> list[CloudVolumeType]:
        found = [each for each in self._connection.block_storage.types() if each.is_public is not False]
        types = [CloudVolumeType(required(each.id, "id"), str(required(each.name, "name"))) for each in found]
        return sorted(types, key=lambda each: each.name)

    @at_border
    def empty_project(self, project_id: str) -> list[CloudObject]:
        return empty_project(self._connection, project_id)

    @at_border
    def delete_project(self, project_id: str) -> bool:
        """Delete it with its default security group and its quotas, which the services would keep for ever."""
        for group in SECURITY_GROUPS.list_of_any_project(self._connection, project_id):
            if group.name == DEFAULT_GROUP:
                SECURITY_GROUPS.delete(self._connection, group.id)
        self._connection.network.delete_quota(project_id, ignore_missing=True)
        self._connection.compute.revert_quota_set(project_id)
        self._connection.block_storage.revert_quota_set(project_id)
        self._connection.identity.delete_project(project_id, ignore_missing=True)
        return True

    @at_border
    def delete_user(self, user_id: str) -> bool:
        """Delete it, its credentials first: Keystone would leave their parts behind on a database without cascades."""
        try:
            with border():
                for old in list(self._connection.identity.application_credentials(user_id)):
                    self._connection.identity.delete_application_credential(user_id, old.id)
        except CloudNotFound:
            return True
        self._connection.identity.delete_user(user_id, ignore_missing=True)
        return True

    @at_border
    def check(self) -> list[Finding]:
        return examine_cloud(self._opened, self._credential)

    def _tenant_domain(self) -> str:
        name = self._credential.tenant_domain_name
        for domain in self._connection.identity.domains(name=name):
            if domain.name.lower() == name.lower():
                return str(domain.id)
        raise CloudRefused(f"There is no domain {name}.")

    def _tenant_role(self) -> Any:
        for role in self._connection.identity.roles(name=TENANT_ROLE):
            if role.name == TENANT_ROLE and role.domain_id is None:
                return role
        raise CloudAnswerInvalid(f"It has no role {TENANT_ROLE}.")


def _random_password() -> str:
    """Return a password that nobody keeps. The end satisfies rules that ask for each class of character."""
    return secrets.token_urlsafe(32) + "aA1!"


def _named(quotas: Mapping[str, int], names: Mapping[str, str]) -> dict[str, int]:
    return {names[ours]: maximum for ours, maximum in quotas.items() if ours in names}
