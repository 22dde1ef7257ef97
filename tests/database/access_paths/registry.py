"""The register of access paths, and what they share."""

from dataclasses import dataclass
from typing import Any

from platforma.database.errors import CrossTenantError, UnscopedAccessError
from platforma.database.tenant_session import WriteSession
from platforma.network.models import Network, Subnet
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.world import Path, World

N: Any = Network
S: Any = Subnet
NETWORKS: Any = Network.__table__
REFUSALS = (UnscopedAccessError, CrossTenantError)


@dataclass(frozen=True)
class AccessPath:
    """One way, and what must come of it."""

    name: str
    walk: Path
    is_refused: bool


PATHS: list[AccessPath] = []


def scoped(walk: Path) -> Path:
    """Register a path that must find A's rows and none of B's."""
    PATHS.append(AccessPath(walk.__name__, walk, False))
    return walk


def refused(walk: Path) -> Path:
    """Register a path that must be refused."""
    PATHS.append(AccessPath(walk.__name__, walk, True))
    return walk


async def names(session: WriteSession, statement: Any, **options: Any) -> list[Any]:
    """Return the first column of every row."""
    return list((await session.execute(statement, **options)).scalars())


def foreign_network(world: World) -> Network:
    """Make an object that says it is B's row."""
    return Network(tenant_id=world.b.tenant_id, id=world.b_rows.network_id, name="taken")
