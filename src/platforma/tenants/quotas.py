"""Quotas: how much a tenant may have, checked where something is added."""

import hashlib
from typing import Any

from sqlalchemy import ColumnElement, func, select

from platforma.database.tables import TenantOwned
from platforma.database.tenant_session import ReadSession, WriteSession
from platforma.kit.problems import QuotaExceeded
from platforma.tenants.models import Quota

OPENSTACK_QUOTAS: dict[str, int] = {
    "servers": 20,
    "vcpus": 40,
    "ram_mib": 80 * 1024,
    "volumes": 40,
    "volume_gib": 2000,
    "snapshots": 40,
    "networks": 20,
    "subnets": 40,
    "routers": 10,
    "ports": 200,
    "security_groups": 40,
    "security_group_rules": 400,
    "floating_ips": 10,
    "key_pairs": 50,
}
"""What a new tenant gets in OpenStack, whose names these are, with the unit where there is one."""

KUBERNETES_QUOTAS: dict[str, int] = {
    "namespaces": 10,
    "namespace_vcpus": 40,
    "namespace_ram_mib": 80 * 1024,
    "namespace_pods": 200,
    "openings": 100,
    "kubeconfigs": 20,
}
"""What a new tenant gets in Kubernetes: how many namespaces, and how much the quotas of all of them may add up to."""

DEFAULT_QUOTAS: dict[str, int] = OPENSTACK_QUOTAS | KUBERNETES_QUOTAS
"""What a new tenant gets."""


_WORDS = {
    "vcpus": "vCPUs",
    "ram_mib": "MiB of memory",
    "volume_gib": "GiB of volumes",
    "floating_ips": "floating IPs",
    "namespace_vcpus": "vCPUs of namespaces",
    "namespace_ram_mib": "MiB of memory of namespaces",
    "namespace_pods": "pods of namespaces",
}


def quota_words(resource: str) -> str:
    """Say of what a quota is, as after a number: "GiB of volumes"."""
    return _WORDS.get(resource) or resource.replace("_", " ")


def quota_title(resource: str) -> str:
    """Say of what a quota is, as a heading: "Security groups"."""
    words = quota_words(resource)
    return words if words[:1].isupper() or words.startswith("vCPU") else words[:1].upper() + words[1:]


async def check_quota(
    session: WriteSession, resource: str, used: ColumnElement[Any], model: type[TenantOwned], wanted: int
) -> None:
    """Raise QuotaExceeded unless `wanted` more of a resource fit. Requests of one tenant wait for each other here.

    `used` is the aggregate over `model` that counts what is there, such as `func.count()`.
    """
    key = int.from_bytes(hashlib.sha256(f"quota {session.tenant_id} {resource}".encode()).digest()[:8], signed=True)
    await session.execute(select(func.pg_advisory_xact_lock(key)))
    maximum = await session.scalar(select(Quota.maximum).where(Quota.resource == resource))
    if maximum is None:
        maximum = DEFAULT_QUOTAS[resource]
    present = int(await session.scalar(select(func.coalesce(used, 0)).select_from(model)) or 0)
    if present + wanted > maximum:
        raise QuotaExceeded(
            f"{wanted:,} more {quota_words(resource)} would make {present + wanted:,}, and {maximum:,} are allowed. "
            "Delete what you do not need, or ask your provider for more.",
            resource=resource,
            used=present,
            wanted=wanted,
            maximum=maximum,
        )


async def list_quotas(session: ReadSession) -> dict[str, int]:
    """Return each quota of the tenant."""
    rows = await session.execute(select(Quota.resource, Quota.maximum))
    return DEFAULT_QUOTAS | {row[0]: row[1] for row in rows}
