"""From nothing to the running product, in the order in which the parts need each other."""

import secrets
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from devcloud import kubernetes, openstack
from devcloud.openstack.credentials import Credentials
from devcloud.stack import commands, demo, processes
from devcloud.stack.layout import DATABASE, OPERATOR_HOST, Stack, write_private_text
from platforma.database.embedded import EmbeddedPostgres
from platforma.database.roles import DatabaseRole

Report = Callable[[str], None]

_KEPT = {"openstack-venv", "openstack-venv.lock"}
"""What `clean` keeps: installed packages."""


def up(stack: Stack, report: Report) -> dict[str, Any]:
    """Start everything that does not run, and return what `demo.json` says. Safe to repeat."""
    began = time.monotonic()
    stack.make()
    for process, port, variable in (
        ("portal", stack.port, "PORT"),
        ("operator", stack.operator_port, "OPERATOR_PORT"),
    ):
        if not processes.is_running(stack, process, as_asked=True):
            processes.check_port(port, variable)
    with ThreadPoolExecutor(2) as aside:
        cloud = aside.submit(openstack.up, stack.openstack, report=lambda line: report(f"openstack: {line}"))
        cluster = aside.submit(
            kubernetes.up,
            stack.kubernetes,
            is_simulating=True,
            report=lambda line: report(f"kubernetes: {line}"),
        )
        report("database: starting")
        postgres = EmbeddedPostgres(stack.postgres)
        _write_settings(stack, postgres)
        report("database: migrating")
        commands.run(stack, "owner", "migrate", "--create-roles")
        _start_stripe(stack, report)
        _start_portals(stack, report)
        _start_workers(stack, cloud.result(), report)
    made = demo.make(stack, cluster.result(), report)
    report(f"up after {time.monotonic() - began:.0f} s")
    return made


def down(stack: Stack, report: Report) -> None:
    """Stop what `up` started; everything stays where it is."""
    stopped = processes.stop(stack)
    report(f"stopped: {', '.join(stopped) or 'no process of the product ran'}")
    if stack.shared_openstack is None and stack.openstack.exists():
        openstack.down(stack.openstack, report=lambda line: report(f"openstack: {line}"))
    if stack.kubernetes.exists():
        kubernetes.down(stack.kubernetes, report=lambda line: report(f"kubernetes: {line}"))
    if (stack.postgres / "postmaster.pid").exists():
        EmbeddedPostgres(stack.postgres).stop()
        report("database: stopped")


def clean(stack: Stack, report: Report) -> None:
    """Stop everything and forget it: database, clouds, settings, demo. Installed packages stay."""
    down(stack, report)
    if stack.state.exists():
        for path in stack.state.iterdir():
            if path.name not in _KEPT:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    report("forgotten")


def _write_settings(stack: Stack, postgres: EmbeddedPostgres) -> None:
    """Write what each process needs, and no more: see docs/architecture.md."""
    kept = stack.secrets()

    def url(role: DatabaseRole) -> str:
        return postgres.url(role, DATABASE, kept[role.short])

    addresses = {"PUBLIC_SCHEME": "http", "PUBLIC_PORT": str(stack.port), "OPERATOR_HOST": OPERATOR_HOST}
    every = {f"DATABASE__{role.short.upper()}": url(role) for role in DatabaseRole}
    stack.write_settings("owner", every | {"DATABASE__ADMINISTRATOR": postgres.administrator_url})
    if not stack.webhook_secret.exists():
        write_private_text(stack.webhook_secret, f"whsec_{secrets.token_urlsafe(24)}")
    portal = {
        "DATABASE__PORTAL": url(DatabaseRole.PORTAL),
        "PEPPER": kept["pepper"],
        "STRIPE__PUBLISHABLE_KEY": "pk_test_local",
        "STRIPE__WEBHOOK_SECRETS": [stack.webhook_secret.read_text()],
        "STRIPE__SCRIPT_URL": f"http://127.0.0.1:{stack.stripe_port}/js.stripe.com/v3/",
    }
    stack.write_settings("portal", portal | addresses)
    operator = {
        "DATABASE__OPERATOR": url(DatabaseRole.OPERATOR),
        "PEPPER": kept["pepper"],
        "STRIPE__WEBHOOK_SECRETS": [stack.webhook_secret.read_text()],
    }
    stack.write_settings("operator", operator | addresses)


def _start_stripe(stack: Stack, report: Report) -> None:
    report("stripe: starting the local one")
    stack.write_settings("stripe", {})
    processes.start(stack, "stripe")
    processes.wait_for_answer(stack, "stripe", stack.stripe_port, "/js.stripe.com/v3/")


def _start_portals(stack: Stack, report: Report) -> None:
    report("portal and operator: starting")
    for process in ("portal", "operator"):
        processes.start(stack, process)
    processes.wait_for_answer(stack, "portal", stack.port)
    processes.wait_for_answer(stack, "operator", stack.operator_port)


def _start_workers(stack: Stack, cloud: Credentials, report: Report) -> None:
    """Start the workers; only the provisioner gets the administrator of the cloud."""
    kept = stack.secrets()
    postgres = EmbeddedPostgres(stack.postgres)
    common = {
        "CREDENTIAL_KEYS": [kept["credential_key"]],
        "OPENSTACK__AUTH_URL": cloud.auth_url,
        "OPENSTACK__REGION": cloud.region,
        "OPENSTACK__EXTERNAL_NETWORK": cloud.external_network,
        "ERASURE__LOCAL_DIRECTORY": cloud.volumes_directory,
    }
    worker = {
        "DATABASE__WORKER": postgres.url(DatabaseRole.WORKER, DATABASE, kept["worker"]),
        "WORKER__BILLING_SETTLING_SECONDS": "10",
        "STRIPE__SECRET_KEY": "sk_test_local",
        "STRIPE__BASE_ADDRESS": f"http://127.0.0.1:{stack.stripe_port}",
    }
    provisioner = {
        "DATABASE__PROVISIONER": postgres.url(DatabaseRole.PROVISIONER, DATABASE, kept["provisioner"]),
        "OPENSTACK__ADMINISTRATOR_USERNAME": cloud.admin.username,
        "OPENSTACK__ADMINISTRATOR_PASSWORD": cloud.admin.password,
        "OPENSTACK__ADMINISTRATOR_PROJECT_NAME": cloud.admin.project_name,
    }
    stack.write_settings("worker", worker | common)
    stack.write_settings("provisioner", provisioner | common)
    report("worker and provisioner: starting")
    for process in ("worker", "provisioner"):
        processes.start(stack, process)
    for process in ("worker", "provisioner"):
        processes.wait_for_line(stack, process, "worker starts")
