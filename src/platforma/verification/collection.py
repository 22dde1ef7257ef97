"""All probes and belongings there are: every package's own, found by being there."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import platforma
from platforma.kit.probes import Belonging, Probe

NOBODYS = frozenset({"flavor_id", "image_id", "cluster_id", "volume_type_id"})
"""Ids of what belongs to the platform, and may be named by every tenant."""


def collect_probes() -> list[Probe]:
    """Return the probes of every package."""
    return [probe for module in _modules() for probe in getattr(module, "PROBES", ())]


def collect_belongings() -> list[Belonging]:
    """Return what a canary comes to own, in an order in which that can be: what needs something else comes after it."""
    modules = list(_modules())
    found = [each for module in modules for each in getattr(module, "BELONGINGS", ())]
    later = [each for module in modules for each in getattr(module, "LATER_BELONGINGS", ())]
    return sorted(found, key=_after) + later


def _after(belonging: Belonging) -> bool:
    """Say whether it comes after the others: a server stands on a network."""
    return belonging.name == "server_id"


def _modules() -> Iterator[ModuleType]:
    for package in sorted(pkgutil.iter_modules(platforma.__path__), key=lambda each: each.name):
        if package.ispkg and importlib.util.find_spec(f"platforma.{package.name}.probes") and package.name != "kit":
            yield importlib.import_module(f"platforma.{package.name}.probes")
