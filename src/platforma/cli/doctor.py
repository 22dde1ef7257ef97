"""`platforma doctor`: what is wrong with this installation, and how to mend it.

It checks what the settings of this process let it see: run it with each process's settings.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import psycopg
import typer
from pydantic import SecretStr

from platforma.authentication.passwords import PasswordStretcher
from platforma.cli.console import Json, fail, settings, show
from platforma.clouds.blocks import LocalBlocks
from platforma.clouds.openstack import CloudError, CloudPool, Clouds
from platforma.database.census import take_census
from platforma.database.engine import DatabaseUrlError, libpq_dsn, parse_url
from platforma.database.roles import APPLICATION_ROLES, DatabaseRole
from platforma.kit.crypto import KeyRing
from platforma.operations.cloud_access import administrator_credential, openstack_settings
from platforma.settings import Settings
from platforma.storage.canary import CanaryFlight
from platforma.storage.sampling import Assurance


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and how to mend it."""

    subject: str
    problem: str
    remedy: str


Check = Callable[[Settings], Awaitable[list[Finding]]]


def doctor(
    as_json: Json = False,
    canary: Annotated[
        bool, typer.Option(help="Also write to a volume of each type, delete it, and look what the next one shows.")
    ] = False,
) -> None:
    """Say what is wrong with this installation and how to mend it; exit code 1 if anything is."""
    used = settings()
    if not _has_anything(used):
        fail(
            "Nothing was checked: no settings were given. Name those of a process, as in "
            "PLATFORMA_SETTINGS=/etc/platforma/portal.env platforma doctor"
        )
    findings = asyncio.run(examine(used)) + (check_erasure(used) if canary else [])

    def words() -> str:
        if not findings:
            return "Nothing is wrong with what this process's settings show."
        return "\n".join(f"{item.subject}: {item.problem}\n    {item.remedy}" for item in findings)

    show([asdict(finding) for finding in findings], as_json, words)
    if findings:
        raise typer.Exit(1)


async def examine(used: Settings) -> list[Finding]:
    """Run every check."""
    found: list[Finding] = []
    for check in (check_secrets, check_databases, check_clouds):
        found += await check(used)
    return found


async def check_secrets(used: Settings) -> list[Finding]:
    """Look at pepper and key ring, and at who has them."""
    found: list[Finding] = []
    make = 'Make one: python -c "from platforma.kit.crypto import new_key; print(new_key())"'
    if used.pepper is not None:
        try:
            PasswordStretcher(used.pepper.get_secret_value())
        except ValueError as error:
            found.append(Finding("PEPPER", str(error), make))
    if used.credential_keys:
        try:
            KeyRing([key.get_secret_value() for key in used.credential_keys])
        except ValueError as error:
            found.append(Finding("CREDENTIAL_KEYS", str(error), make))
    return found + _check_separation(used)


def _check_separation(used: Settings) -> list[Finding]:
    """Look whether a process holds what only another may have: a breach of it would be one of both."""
    separate = "Give each process a settings file of its own; see docs/settings.md."
    has_administrator = used.openstack is not None and used.openstack.administrator_password is not None
    if used.database.owner is not None or used.database.administrator is not None:
        process, forbidden = "The process that migrates", {"PEPPER", "CREDENTIAL_KEYS", "OPENSTACK", "STRIPE"}
    else:
        roles = [role for role in APPLICATION_ROLES if getattr(used.database, role.short) is not None]
        if len(roles) > 1:
            names = " and ".join(role.value for role in roles)
            return [Finding("DATABASE", f"This process can be {names}.", separate)]
        role = roles[0] if roles else None
        process = f"A process of {role}"
        forbidden = (
            {
                DatabaseRole.PORTAL: {"CREDENTIAL_KEYS", "OPENSTACK", "STRIPE"},
                DatabaseRole.OPERATOR: {"CREDENTIAL_KEYS", "OPENSTACK", "STRIPE"},
                DatabaseRole.WORKER: {"PEPPER", "OPENSTACK"},
                DatabaseRole.PROVISIONER: {"PEPPER", "STRIPE"},
            }.get(role, set())
            if role
            else set()
        )
    held = {
        "PEPPER": (used.pepper is not None, "the pepper of passwords"),
        "CREDENTIAL_KEYS": (bool(used.credential_keys), "the keys of tenants' clouds"),
        "OPENSTACK": (has_administrator, "the cloud's administrator"),
        "STRIPE": (used.stripe.secret_key is not None, "the secret key of Stripe"),
    }
    return [
        Finding(name, f"{process} holds {what}.", separate)
        for name, (is_held, what) in held.items()
        if is_held and name in forbidden
    ]


def _has_anything(used: Settings) -> bool:
    """Whether the settings name anything that can be looked at."""
    urls = (
        used.database.administrator,
        used.database.owner,
        *(getattr(used.database, r.short) for r in APPLICATION_ROLES),
    )
    return any(urls) or used.pepper is not None or bool(used.credential_keys) or used.openstack is not None


async def check_databases(used: Settings) -> list[Finding]:
    """Look at the database as each role whose URL this process has."""
    found: list[Finding] = []
    for role in APPLICATION_ROLES:
        url: SecretStr | None = getattr(used.database, role.short)
        if url is not None:
            found += await _check_database(role, url.get_secret_value())
    return list(dict.fromkeys(found))


async def _check_database(role: DatabaseRole, url: str) -> list[Finding]:
    setting = f"DATABASE__{role.short.upper()}"
    try:
        if parse_url(url).username != role.value:
            return [Finding(setting, f"It signs in as {parse_url(url).username}.", f"It has to be {role.value}.")]
    except DatabaseUrlError as error:
        return [Finding(setting, str(error), "Write it as postgresql://USER:PASSWORD@HOST/DATABASE.")]
    try:
        return await asyncio.to_thread(_look_at_database, role, url)
    except (psycopg.Error, OSError) as error:
        remedy = "Is it running, and migrated (platforma migrate --create-roles)?"
        return [Finding(setting, f"The database does not answer: {str(error).strip()}", remedy)]


def _look_at_database(role: DatabaseRole, url: str) -> list[Finding]:
    """Look with a plain connection: catalog and queue are no tenant's, and the product's own engine refuses SQL."""
    found = [Finding(item.object, item.wrong, item.mend) for item in take_census(url)]
    with psycopg.connect(libpq_dsn(url)) as connection:
        if role in (DatabaseRole.WORKER, DatabaseRole.PROVISIONER):
            found += _check_queue(connection, role)
        if role is DatabaseRole.OPERATOR:
            found += _check_portals(connection)
    return found


def _check_queue(connection: psycopg.Connection[Any], role: DatabaseRole) -> list[Finding]:
    queue, plane = {
        DatabaseRole.WORKER: ("resources", "tenant"),
        DatabaseRole.PROVISIONER: ("provisioning", "platform"),
    }[role]
    start = f"Start one: platforma worker --plane {plane}"
    found = []
    for query, problem in (
        (
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM jobs.procrastinate_workers w "
            "WHERE w.last_heartbeat > now() - interval '1 minute')",
            "No worker has been heard of for a minute.",
        ),
        (_WAITING, "Jobs have waited for more than two minutes, though nothing is in their way: no worker takes them."),
        (_ABANDONED, "Jobs are in the hands of a worker that has not been heard of for a minute."),
    ):
        if connection.execute(query, {"queue": queue}).fetchone():
            found.append(Finding(f"queue {queue}", problem, start))
    return found


_WAITING = """
    SELECT 1 FROM jobs.procrastinate_jobs j
    WHERE j.queue_name = %(queue)s AND j.status = 'todo'
      AND coalesce(j.scheduled_at, (
          SELECT max(e.at) FROM jobs.procrastinate_events e WHERE e.job_id = j.id)) < now() - interval '2 minutes'
      AND NOT EXISTS (SELECT FROM jobs.procrastinate_jobs d WHERE d.lock = j.lock AND d.status = 'doing')
    LIMIT 1
"""
_ABANDONED = """
    SELECT 1 FROM jobs.procrastinate_jobs j LEFT JOIN jobs.procrastinate_workers w ON w.id = j.worker_id
    WHERE j.queue_name = %(queue)s AND j.status = 'doing'
      AND coalesce(w.last_heartbeat, '-infinity') < now() - interval '1 minute'
    LIMIT 1
"""


def _check_portals(connection: psycopg.Connection[Any]) -> list[Finding]:
    rows = connection.execute(
        "SELECT p.name FROM portals p WHERE NOT EXISTS "
        "(SELECT FROM domains d WHERE d.portal_id = p.id AND d.is_canonical) ORDER BY p.name"
    )
    remedy = "Add one: platforma domain add PORTAL HOST --canonical"
    return [Finding(f"portal {name}", "It has no canonical host to make links with.", remedy) for (name,) in rows]


def check_erasure(used: Settings, clouds: Clouds | None = None) -> list[Finding]:
    """Send a canary through each volume type. Needs the cloud's administrator, and to reach the volumes' bytes."""
    cloud = used.openstack
    if cloud is None or cloud.administrator_password is None:
        return [Finding("canary", "This process is not the cloud's administrator.", "Use the provisioner's settings.")]
    clouds = clouds or CloudPool(blocks=LocalBlocks(used.erasure.local_directory))
    where, assurance = openstack_settings(cloud), Assurance(used.erasure.confidence, used.erasure.share)
    found = []
    try:
        flight = CanaryFlight.of(clouds, where, administrator_credential(cloud), assurance)
        for verdict in flight.fly():
            if not verdict.is_clean:
                remedy = (
                    "Do not let tenants have this type before it is mended; what they delete can be read by others."
                )
                found.append(Finding(f"volume type {verdict.volume_type}", verdict.words, remedy))
    except CloudError as error:
        found.append(
            Finding("canary", str(error), "Let the workers reach volumes: PLATFORMA_ERASURE__LOCAL_DIRECTORY.")
        )
    return found


async def check_clouds(used: Settings) -> list[Finding]:
    """Look at the cloud, if this process has its administrator."""
    cloud = used.openstack
    if cloud is None or cloud.administrator_password is None:
        return []

    def look() -> list[Any]:
        opened = CloudPool().open_administration(openstack_settings(cloud), administrator_credential(cloud))
        return [item for item in opened.check() if not item.is_good]

    try:
        bad = await asyncio.to_thread(look)
    except CloudError as error:
        return [Finding("OpenStack", str(error), "Check OPENSTACK__AUTH_URL and the administrator's password.")]
    remedy = "Mend it in the cloud, then look again."
    return [Finding(f"OpenStack {item.subject}", item.message, remedy) for item in bad]
