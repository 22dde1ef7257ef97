"""Who may do what in a tenant: one table, and nothing else decides."""

from enum import StrEnum


class Role(StrEnum):
    """The roles of members."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    BILLING = "billing"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What an endpoint or page asks for."""

    SESSION_OWN = "session:own"
    TENANT_READ = "tenant:read"
    CATALOGUE_READ = "catalogue:read"
    NETWORKS_READ = "networks:read"
    NETWORKS_WRITE = "networks:write"
    SECURITY_GROUPS_READ = "security-groups:read"
    SECURITY_GROUPS_WRITE = "security-groups:write"
    SERVERS_READ = "servers:read"
    SERVERS_WRITE = "servers:write"
    VOLUMES_READ = "volumes:read"
    VOLUMES_WRITE = "volumes:write"
    NAMESPACES_READ = "namespaces:read"
    NAMESPACES_WRITE = "namespaces:write"
    KUBECONFIGS_READ = "kubeconfigs:read"
    KUBECONFIGS_WRITE = "kubeconfigs:write"
    OPERATIONS_READ = "operations:read"
    OPERATIONS_RETRY = "operations:retry"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    AUDIT_READ = "audit:read"
    BILLING_READ = "billing:read"
    BILLING_WRITE = "billing:write"


_EVERYBODY = frozenset(Role)
_WORKING = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
_LOOKING = _WORKING | {Role.VIEWER}
_RULING = frozenset({Role.OWNER, Role.ADMIN})

PERMISSIONS: dict[Permission, frozenset[Role]] = {
    Permission.SESSION_OWN: _EVERYBODY,
    Permission.TENANT_READ: _EVERYBODY,
    Permission.CATALOGUE_READ: _LOOKING,
    Permission.NETWORKS_READ: _LOOKING,
    Permission.NETWORKS_WRITE: _WORKING,
    Permission.SECURITY_GROUPS_READ: _LOOKING,
    Permission.SECURITY_GROUPS_WRITE: _WORKING,
    Permission.SERVERS_READ: _LOOKING,
    Permission.SERVERS_WRITE: _WORKING,
    Permission.VOLUMES_READ: _LOOKING,
    Permission.VOLUMES_WRITE: _WORKING,
    Permission.NAMESPACES_READ: _LOOKING,
    Permission.NAMESPACES_WRITE: _WORKING,
    Permission.KUBECONFIGS_READ: _LOOKING,
    Permission.KUBECONFIGS_WRITE: _WORKING,
    Permission.OPERATIONS_READ: _LOOKING,
    Permission.OPERATIONS_RETRY: _WORKING,
    Permission.MEMBERS_READ: _LOOKING,
    Permission.MEMBERS_WRITE: _RULING,
    Permission.AUDIT_READ: _RULING,
    Permission.BILLING_READ: _RULING | {Role.BILLING},
    Permission.BILLING_WRITE: _RULING | {Role.BILLING},
}

ON_HOLD: frozenset[Permission] = frozenset(
    permission for permission in Permission if not permission.value.endswith((":write", ":retry"))
) | {Permission.BILLING_WRITE, Permission.MEMBERS_WRITE}
"""What members of a tenant may still do that has not paid, besides deleting: look, pay, and say who may pay."""

MANAGEABLE: dict[Role, frozenset[Role]] = {
    Role.OWNER: _EVERYBODY,
    Role.ADMIN: frozenset({Role.ADMIN, Role.MEMBER, Role.BILLING, Role.VIEWER}),
}
"""Which roles a member of a role may give, take and sign out. An admin can make nobody an owner, nor touch one."""


def allows(role: Role, permission: Permission) -> bool:
    """Say whether members of this role may do this."""
    return role in PERMISSIONS[permission]
