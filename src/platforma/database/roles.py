"""The database roles: what each process may be, and nothing more."""

from collections.abc import Mapping
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


ROLE_SETTINGS: Mapping[DatabaseRole, Mapping[str, str]] = {
    role: {
        "search_path": "public, jobs",
        "lock_timeout": lock,
        "statement_timeout": statement,
        "idle_in_transaction_session_timeout": idle,
    }
    for role, lock, statement, idle in (
        (DatabaseRole.PORTAL, "5s", "15s", "30s"),
        (DatabaseRole.OPERATOR, "5s", "15s", "30s"),
        (DatabaseRole.WORKER, "10s", "1min", "2min"),
        (DatabaseRole.PROVISIONER, "10s", "5min", "2min"),
    )
}
"""What a role's connections start with: nobody waits for ever, and nobody makes others wait for ever."""

APPLICATION_ROLES = (
    DatabaseRole.PORTAL,
    DatabaseRole.WORKER,
    DatabaseRole.PROVISIONER,
    DatabaseRole.OPERATOR,
)
