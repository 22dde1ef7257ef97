"""Platforma itself, unchanged: its own processes on its embedded database, told by settings where the cloud is."""

import secrets

from devcloud.stack import commands, processes
from devcloud.stack.layout import DATABASE, OPERATOR_HOST, Stack
from devcloud.stack.processes import tail
from lab.layout import EXTERNAL_NETWORK, OPERATOR_PORT, PORTAL_PORT, REGION, Layout
from lab.services import AUTH_URL, Secrets
from platforma.database.embedded import EmbeddedPostgres
from platforma.database.roles import DatabaseRole

OPERATOR_EMAIL = "operator@lab.example"
SWEEP_SECONDS = 10
"""How often the lab's tenants are swept; in production this is a setting too."""


class Product:
    """One installation of Platforma."""

    def __init__(self, layout: Layout) -> None:
        self.stack = Stack(layout.runtime / "platforma", PORTAL_PORT, OPERATOR_PORT)
        self.operator_password = secrets.token_urlsafe(15)
        self._logs = layout.logs

    def start_database(self) -> None:
        """Start the database and the two planes that need no cloud."""
        self.stack.make()
        postgres, kept = EmbeddedPostgres(self.stack.postgres), self.stack.secrets()
        every = {f"DATABASE__{role.short.upper()}": self._url(role) for role in DatabaseRole}
        self.stack.write_settings("owner", every | {"DATABASE__ADMINISTRATOR": postgres.administrator_url})
        addresses = {"PUBLIC_SCHEME": "http", "PUBLIC_PORT": str(PORTAL_PORT), "OPERATOR_HOST": OPERATOR_HOST}
        for plane, role in (("portal", DatabaseRole.PORTAL), ("operator", DatabaseRole.OPERATOR)):
            own = {f"DATABASE__{role.short.upper()}": self._url(role), "PEPPER": kept["pepper"]}
            self.stack.write_settings(plane, own | addresses)
        commands.run(self.stack, "owner", "migrate", "--create-roles")
        create = ("operator", "create", OPERATOR_EMAIL, "--name=Operator", "--password-stdin", "--json")
        commands.run(self.stack, "operator", *create, text=self.operator_password + "\n")
        for plane in ("portal", "operator"):
            processes.start(self.stack, plane)
        processes.wait_for_answer(self.stack, "portal", PORTAL_PORT)
        processes.wait_for_answer(self.stack, "operator", OPERATOR_PORT)

    def start_workers(self, cloud: Secrets) -> None:
        """Start the workers; only the provisioner gets the administrator of the cloud."""
        common = {
            "CREDENTIAL_KEYS": [self.stack.secrets()["credential_key"]],
            "OPENSTACK__AUTH_URL": AUTH_URL,
            "OPENSTACK__REGION": REGION,
            "OPENSTACK__EXTERNAL_NETWORK": EXTERNAL_NETWORK,
            "OPENSTACK__TIMEOUT_SECONDS": "60",
            "WORKER__SWEEP_SECONDS": str(SWEEP_SECONDS),
        }
        administrator = {
            "OPENSTACK__ADMINISTRATOR_USERNAME": "admin",
            "OPENSTACK__ADMINISTRATOR_PASSWORD": cloud.administrator,
        }
        worker = {"DATABASE__WORKER": self._url(DatabaseRole.WORKER)}
        provisioner = {"DATABASE__PROVISIONER": self._url(DatabaseRole.PROVISIONER), **administrator}
        self.stack.write_settings("worker", worker | common)
        self.stack.write_settings("provisioner", provisioner | common)
        for plane in ("worker", "provisioner"):
            processes.start(self.stack, plane)
        for plane in ("worker", "provisioner"):
            processes.wait_for_line(self.stack, plane, "worker starts")

    def save_logs(self) -> None:
        """Keep what its processes wrote."""
        for log in (self.stack.state / "log").glob("*.log"):
            (self._logs / f"platforma-{log.name}").write_text(log.read_text(errors="replace"))

    def stop(self) -> None:
        """Stop its processes and its database."""
        processes.stop(self.stack)
        if (self.stack.postgres / "postmaster.pid").exists():
            EmbeddedPostgres(self.stack.postgres).stop()

    def _url(self, role: DatabaseRole) -> str:
        return EmbeddedPostgres(self.stack.postgres).url(role, DATABASE, self.stack.secrets()[role.short])

    def why(self) -> str:
        """Return the end of the workers' logs."""
        return "\n".join(tail(self.stack.log(plane)) for plane in ("worker", "provisioner"))
