"""`platforma migrate`."""

from typing import Annotated

import typer

from platforma.cli.console import Json, fail, settings, show
from platforma.database import migrate as migrations
from platforma.database.engine import parse_url
from platforma.database.roles import DatabaseRole
from platforma.models import Base
from platforma.settings import SettingsError, need


def migrate(
    as_json: Json = False,
    create_roles: Annotated[
        bool, typer.Option(help="First create roles and database, as DATABASE__ADMINISTRATOR. Safe to repeat.")
    ] = False,
) -> None:
    """Bring the database to this version, as its owner. All of it happens, or nothing."""
    database = settings().database
    try:
        if create_roles:
            urls = {
                role: need(getattr(database, role.short), f"DATABASE__{role.short.upper()}") for role in DatabaseRole
            }
            passwords = {role: parse_url(url).password or "" for role, url in urls.items()}
            empty = [role.short for role, password in passwords.items() if not password]
            if empty:
                fail(f"These database URLs have no password: {', '.join(empty)}.")
            name = parse_url(urls[DatabaseRole.OWNER]).database or ""
            migrations.create_roles(need(database.administrator, "DATABASE__ADMINISTRATOR"), passwords, name)
        migrations.migrate(need(database.owner, "DATABASE__OWNER"), Base.metadata)
    except SettingsError as error:
        fail(str(error))
    except Exception as error:  # noqa: BLE001 (psycopg's, SQLAlchemy's and Alembic's have no base in common)
        fail(f"Nothing was migrated: {type(error).__name__}: {error}")
    show({"migrated": True}, as_json, "The database is at this version.")
