"""The names of quotas, and what each service calls them."""

from collections.abc import Mapping

COMPUTE_QUOTAS = {"servers": "instances", "vcpus": "cores", "ram_mib": "ram", "key_pairs": "key_pairs"}
NETWORK_QUOTAS = {
    "networks": "networks",
    "subnets": "subnets",
    "routers": "routers",
    "ports": "ports",
    "security_groups": "security_groups",
    "security_group_rules": "security_group_rules",
    "floating_ips": "floating_ips",
}
VOLUME_QUOTAS = {"volumes": "volumes", "volume_gib": "gigabytes", "snapshots": "snapshots"}


def check_quota_names(quotas: Mapping[str, int]) -> None:
    """Raise ValueError if a quota is named that no service has."""
    unknown = set(quotas) - set(COMPUTE_QUOTAS) - set(NETWORK_QUOTAS) - set(VOLUME_QUOTAS)
    if unknown:
        raise ValueError(f"There are no such quotas: {', '.join(sorted(unknown))}.")
