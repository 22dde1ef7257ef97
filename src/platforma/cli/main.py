"""Platforma: a white-label cloud with tenant isolation at six layers."""

from typing import Annotated, Any

import typer
import uvicorn

from platforma import __version__
from platforma.api.server import server_config
from platforma.cli import clusters, members, operators, portals, prices, reports, sessions, sweeps, tenants
from platforma.cli.console import Json, fail, run, settings, show
from platforma.cli.doctor import doctor
from platforma.cli.drill import drill
from platforma.cli.verify import verify
from platforma.database import migrate as migrations
from platforma.database.engine import parse_url
from platforma.database.roles import DatabaseRole
from platforma.kit.logs import configure_logs
from platforma.models import Base
from platforma.operations.models import Plane
from platforma.settings import SettingsError, need

app = typer.Typer(name="platforma", help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(portals.portals, name="portal")
app.add_typer(portals.domains, name="domain")
app.add_typer(tenants.app, name="tenant")
app.add_typer(members.app, name="member")
app.add_typer(sessions.app, name="session")
app.add_typer(operators.app, name="operator")
app.add_typer(prices.app, name="price")
app.add_typer(clusters.app, name="cluster")
app.add_typer(sweeps.app, name="sweep")
app.add_typer(reports.app, name="report")
app.command()(doctor)
app.command()(verify)
app.command()(drill)


@app.callback()
def root(
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Platforma: a white-label cloud with tenant isolation at six layers."""
    configure_logs(level=log_level)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
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


@app.command()
def serve(
    plane: Annotated[str, typer.Option(help="portal or operator.")] = "portal",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Serve the portals, or the operator's plane, until SIGTERM."""
    factories = {"portal": "platforma.cli.serving:portal", "operator": "platforma.cli.serving:operator"}
    if plane not in factories:
        raise typer.BadParameter("The planes are portal and operator.", param_hint="--plane")
    settings()
    options: dict[str, Any] = {"factory": True, "host": host, "port": port, "workers": workers}
    config = server_config(factories[plane], **options)
    if workers == 1:
        uvicorn.Server(config).run()
        return
    from uvicorn.supervisors import Multiprocess

    socket = config.bind_socket()
    Multiprocess(config, sockets=[socket]).run()


@app.command()
def worker(plane: Annotated[Plane, typer.Option(help="Whose operations to carry out.")] = Plane.TENANT) -> None:
    """Carry out operations until SIGTERM: the tenants' own, or the platform's onboarding and offboarding."""
    from platforma.worker import run_worker

    run(run_worker(settings(), plane))


def main() -> None:
    """Run the command line."""
    app()
