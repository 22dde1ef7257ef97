"""`platforma doctor`: what is wrong with this installation, and how to mend it.

It checks what the settings of this process let it see: run it with each process's settings.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import typer
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from platforma.authentication.passwords import PasswordStretcher
from platforma.cli.console import Json, settings, show
from platforma.clouds.openstack import CloudError, CloudPool
from platforma.database.database import Database
from platforma.database.engine import DatabaseUrlError, parse_url
from platforma.database.roles import APPLICATION_ROLES, DatabaseRole
from platforma.kit.crypto import KeyRing
from platforma.operations.cloud_access import administrator_credential, openstack_settings
from platforma.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and how to mend it."""

    subject: str
    problem: str
    remedy: str


Check = Callable[[Settings], Awaitable[list[Finding]]]


def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this installation and how to mend it; exit code 1 if anything is."""
    findings = asyncio.run(examine(settings()))

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
    if used.database.portal is not None and used.database.owner is None:
        separate = "Give each process a settings file of its own; see docs/operations.md."
        if used.credential_keys:
            found.append(Finding("CREDENTIAL_KEYS", "A portal process holds the keys of tenants' clouds.", separate))
        if used.openstack is not None and used.openstack.administrator_password is not None:
            found.append(Finding("OPENSTACK", "A portal process holds the cloud's administrator.", separate))
    is_worker_alone = used.database.worker is not None and used.database.provisioner is None
    if is_worker_alone and used.openstack is not None and used.openstack.administrator_password is not None:
        problem = "The tenants' worker holds the cloud's administrator."
        found.append(Finding("OPENSTACK", problem, "Only the provisioner may."))
    return found


async def check_databases(used: Settings) -> list[Finding]:
    """Look at the database as each role whose URL this process has."""
    found: list[Finding] = []
    for role in APPLICATION_ROLES:
        url: SecretStr | None = getattr(used.database, role.short)
        if url is not None:
            found += await _check_database(role, url.get_secret_value())
    return list(dict.fromkeys(found))


async def _check_database(role: DatabaseRole, url: str) -> list[Finding]:
    from platforma.database.census import take_census

    setting = f"DATABASE__{role.short.upper()}"
    try:
        if parse_url(url).username != role.value:
            return [Finding(setting, f"It signs in as {parse_url(url).username}.", f"It has to be {role.value}.")]
    except DatabaseUrlError as error:
        return [Finding(setting, str(error), "Write it as postgresql://USER:PASSWORD@HOST/DATABASE.")]
    database = Database(url, pool_size=1)
    try:
        async with database.engine.connect() as connection:
            found = [Finding(item.subject, item.problem, item.remedy) for item in await take_census(connection)]
            if role in (DatabaseRole.WORKER, DatabaseRole.PROVISIONER):
                found += await _check_queue(connection, role)
            if role is DatabaseRole.OPERATOR:
                found += await _check_portals(connection)
            return found
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip()
        remedy = "Is it running, and migrated (platforma migrate --create-roles)?"
        return [Finding(setting, f"The database does not answer: {reason}", remedy)]
    finally:
        await database.close()


async def _check_queue(connection: AsyncConnection, role: DatabaseRole) -> list[Finding]:
    queue, plane = {
        DatabaseRole.WORKER: ("resources", "tenant"),
        DatabaseRole.PROVISIONER: ("provisioning", "platform"),
    }[role]
    alive = await _scalar(
        connection,
        "SELECT count(*) FROM jobs.procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute'",
    )
    waiting = await _scalar(
        connection,
        "SELECT count(*) FROM jobs.procrastinate_jobs WHERE queue_name = :queue AND status = 'todo' "
        "AND coalesce(scheduled_at, now()) < now() - interval '2 minutes'",
        queue=queue,
    )
    start = f"Start one: platforma worker --plane {plane}"
    found = []
    if not alive:
        found.append(Finding("workers", "No worker has been heard of for a minute.", start))
    if waiting:
        found.append(Finding(f"queue {queue}", f"{waiting} jobs have waited for more than two minutes.", start))
    return found


async def _check_portals(connection: AsyncConnection) -> list[Finding]:
    rows = await connection.execute(
        text(
            "SELECT p.name FROM portals p WHERE NOT EXISTS "
            "(SELECT FROM domains d WHERE d.portal_id = p.id AND d.is_canonical) ORDER BY p.name"
        )
    )
    remedy = "Add one: platforma domain add PORTAL HOST --canonical"
    return [Finding(f"portal {name}", "It has no canonical host to make links with.", remedy) for (name,) in rows]


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


async def _scalar(connection: AsyncConnection, statement: str, **parameters: Any) -> int:
    return int((await connection.execute(text(statement), parameters)).scalar_one())
