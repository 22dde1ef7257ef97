"""`platforma serve`, `platforma worker`, `platforma version`."""

from typing import Annotated, Any

import typer
import uvicorn

from platforma import __version__
from platforma.api.server import server_config
from platforma.cli.console import run, settings
from platforma.operations.models import Plane

_PLANES = ("portal", "operator", "certificates")


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def serve(
    plane: Annotated[str, typer.Option(help="portal, operator or certificates.")] = "portal",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Serve the portals, the operator's plane, or what a proxy asks about certificates, until SIGTERM."""
    if plane not in _PLANES:
        raise typer.BadParameter("There are portal, operator and certificates.", param_hint="--plane")
    if plane == "certificates" and host not in ("127.0.0.1", "::1"):
        raise typer.BadParameter("Certificates are asked about on 127.0.0.1 or ::1 only.", param_hint="--host")
    settings()
    options: dict[str, Any] = {"factory": True, "host": host, "port": port, "workers": workers}
    config = server_config(f"platforma.cli.serving:{plane}", **options)
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
