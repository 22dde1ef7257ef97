"""Every way to B's rows through SQLAlchemy that we know of, walked in A's session.

A path that is `scoped` returns names of rows, and must return A's own and nothing of B. A path that is `refused`
must raise before anything is sent. Both kinds leave B's rows as they were.
"""

from tests.database import relationships as _relationships  # noqa: F401 (puts the tests' relationships on the models)
from tests.database.access_paths import (  # noqa: F401 (each registers its paths)
    identity,
    loading,
    loosening,
    nesting,
    raw_sql,
    reading,
    round_about,
    tables,
    writing,
)
from tests.database.access_paths.registry import PATHS, REFUSALS, AccessPath

__all__ = ["PATHS", "REFUSALS", "AccessPath"]
