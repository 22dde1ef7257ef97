"""Choices of forms: what can be chosen, with its title and what is said below it."""

from collections.abc import Iterable
from typing import Any

from platforma.portal.wording import memory

Card = tuple[str, str, str]


def pairs(rows: Iterable[Any]) -> list[tuple[str, str]]:
    """Return id and name of resources, for a select."""
    return [(str(row.id), row.name) for row in rows]


def flavor_cards(flavors: Iterable[Any]) -> list[Card]:
    """Return the cards of sizes."""
    return [
        (str(row.id), row.name, f"{row.vcpus} vCPU · {memory(row.ram_mib)} · {row.disk_gib} GiB disk")
        for row in flavors
    ]


def image_cards(images: Iterable[Any]) -> list[Card]:
    """Return the cards of images, with what they need."""
    cards = []
    for row in images:
        needs = [f"{row.minimum_disk_gib} GiB disk"] if row.minimum_disk_gib else []
        needs += [memory(row.minimum_ram_mib)] if row.minimum_ram_mib else []
        cards.append((str(row.id), row.name, f"Needs {' and '.join(needs)}" if needs else "Runs in every size"))
    return cards


def network_cards(networks: Iterable[Any]) -> list[Card]:
    """Return the cards of networks with their subnets."""
    return [(str(row.id), row.name, ", ".join(subnet.cidr for subnet in subnets)) for row, subnets in networks]


def group_cards(groups: Iterable[Any]) -> list[Card]:
    """Return the cards of security groups."""
    return [(str(row.id), row.name, "What new servers get" if row.is_default else row.description) for row in groups]


def cluster_cards(clusters: Iterable[Any]) -> list[Card]:
    """Return the cards of clusters."""
    return [
        (str(row.id), row.name, "A stand-in for development" if row.is_simulated else f"Kubernetes {row.version}")
        for row in clusters
    ]


def role_cards(roles: Iterable[Any]) -> list[Card]:
    """Return the cards of roles."""
    return [(role, role.capitalize(), words) for role, words in roles]
