"""The operator's plane beside a portal."""

from tests.operator.conftest import limit, nobody, plane, settings

__all__ = ["limit", "nobody", "plane", "settings"]
