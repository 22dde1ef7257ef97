"""The database roles: what each process may be, and nothing more."""

from enum import StrEnum


class DatabaseRole(StrEnum):
    """The PostgreSQL roles of Platforma. Only the owner owns anything; none bypasses row-level security."""

    OWNER = "platforma_owner"
    PORTAL = "platforma_portal"
    WORKER = "platforma_worker"
    PROVISIONER = "platforma_provisioner"
    OPERATOR = "platforma_operator"

    @property
    def short(self) -> str:
        """The name without the product's, as in the settings."""
        return self.value.removeprefix("platforma_")


APPLICATION_ROLES = (
    DatabaseRole.PORTAL,
    DatabaseRole.WORKER,
    DatabaseRole.PROVISIONER,
    DatabaseRole.OPERATOR,
)
