"""`platforma serve`, `platforma worker`, `platforma version`."""

from typing import Annotated, Any

import typer
import uvicorn

from platforma import __version__
from platforma.api.server import server_config
from platforma.cli.console import run, settings
from platforma.operations.models import Plane


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


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


def worker(plane: Annotated[Plane, typer.Option(help="Whose operations to carry out.")] = Plane.TENANT) -> None:
    """Carry out operations until SIGTERM: the tenants' own, or the platform's onboarding and offboarding."""
    from platforma.worker import run_worker

    run(run_worker(settings(), plane))
