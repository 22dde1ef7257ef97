"""Platforma: a white-label cloud with tenant isolation at six layers."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from platforma.kit.logs import configure_logs

_COMMANDS = {
    "cluster": "clusters:app",
    "doctor": "doctor:doctor",
    "domain": "portals:domains",
    "drill": "drill:drill",
    "member": "members:app",
    "migrate": "migration:migrate",
    "operator": "operators:app",
    "portal": "portals:portals",
    "price": "prices:app",
    "report": "reports:app",
    "serve": "processes:serve",
    "session": "sessions:app",
    "sweep": "sweeps:app",
    "tenant": "tenants:app",
    "verify": "verify:verify",
    "version": "processes:version",
    "volume-type": "volume_types:app",
    "worker": "processes:worker",
}


class Commands(TyperGroup):
    """The commands, each loaded when it is asked for: one of them needs little of what all of them need."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None if there is none of this name."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command = getattr(import_module(f"platforma.cli.{module}"), name)
        if isinstance(command, typer.Typer):
            group = typer.main.get_group(command)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(cmd_name)(command)
        return typer.main.get_command(alone)


app = typer.Typer(name="platforma", cls=Commands, help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def root(
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Platforma: a white-label cloud with tenant isolation at six layers."""
    configure_logs(level=log_level)


def main() -> None:
    """Run the command line."""
    app()
