"""The documentation is in step with the code: what is named there exists, and what exists is named there."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup

from platforma.cli.main import app
from platforma.database.isolation import Isolation
from platforma.models import Base
from platforma.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
LETTERS = {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D"}
ROLES = ("portal", "worker", "provisioner", "operator")


def rows_of(page: Path) -> Iterator[list[str]]:
    """The cells of each row of a page's tables."""
    for line in page.read_text().splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def settings_of(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Each setting by its full name, with its default as a page shows it."""
    for name, field in model.model_fields.items():
        section = next((kind for kind in [field.annotation, *get_args(field.annotation)] if is_section(kind)), None)
        if section is not None:
            yield from settings_of(section, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", shown(field.get_default(call_default_factory=True))


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def shown(default: Any) -> str:
    if default is None or default is PydanticUndefined:
        return ""
    return f"`{default:.4g}`" if isinstance(default, float) else f"`{default}`"


def commands_of(command: Any, words: tuple[str, ...] = ("platforma",)) -> Iterator[str]:
    """Each command of the command line, with its group."""
    if not isinstance(command, TyperGroup):
        yield " ".join(words)
        return
    context = typer.Context(command)
    for name in command.list_commands(context):
        yield from commands_of(command.get_command(context, name), (*words, name))


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows_of(DOCS / "settings.md") if row[0].startswith("`")}
    assert documented == dict(settings_of(Settings, "PLATFORMA_"))


def test_every_command_is_documented() -> None:
    documented = {row[0].strip("`") for row in rows_of(DOCS / "operations.md") if row[0].startswith("`platforma ")}
    assert documented == set(commands_of(typer.main.get_command(app)))


def test_every_table_is_documented_with_its_isolation() -> None:
    documented = {row[0].strip("`"): row[1:6] for row in rows_of(DOCS / "isolation" / "tables.md") if "`" in row[0]}
    assert documented == {
        isolation.table: [owner_of(isolation), *(grants_of(isolation, role) for role in ROLES)]
        for isolation in (Isolation.of(mapper.class_) for mapper in Base.registry.mappers)
    }


def owner_of(isolation: Isolation) -> str:
    return {"tenant_id": "tenant", "id": "tenant, itself", None: "platform"}[isolation.tenant_column]


def grants_of(isolation: Isolation, role: str) -> str:
    """The privileges of a role, a letter each; with a star if they are for some columns only."""
    privileges = isolation.grants.get(f"platforma_{role}", ())
    return " ".join(LETTERS[privilege.split(" ")[0]] + ("*" if "(" in privilege else "") for privilege in privileges)


def test_the_diagram_of_imports_is_the_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = re.search(r"```\n(cli\n.*?)```", (DOCS / "architecture.md").read_text(), re.DOTALL)
    assert drawn is not None
    assert drawn[1].splitlines() == ["  ".join(re.findall(r"platforma\.(\w+)", layer)) for layer in layers]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    """Links lead to files; paths of the repository in back-ticks are there."""
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"a link to {target}"
    for path in re.findall(r"`((?:src|tests|docs|devcloud|bench|scripts)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


def test_decisions_and_pages_are_in_their_index() -> None:
    for directory in (DOCS, DOCS / "decisions", DOCS / "isolation"):
        index = (directory / "README.md").read_text()
        missing = [page.name for page in directory.glob("*.md") if page.name != "README.md" and page.name not in index]
        assert not missing, f"{directory.name}/README.md does not name {missing}"
