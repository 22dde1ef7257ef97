"""How much of each quota a tenant uses."""

from sqlalchemy import Select, func, select

from platforma.compute.models import Flavor, KeyPair, Server
from platforma.database.tenant_session import ReadSession
from platforma.kubernetes.models import Kubeconfig, Namespace, Opening
from platforma.network.models import FloatingIp, Network, Port, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.storage.models import Volume
from platforma.tenants.quotas import DEFAULT_QUOTAS

_COUNTED = {
    "servers": Server,
    "ports": Port,
    "key_pairs": KeyPair,
    "volumes": Volume,
    "networks": Network,
    "subnets": Subnet,
    "routers": Router,
    "security_groups": SecurityGroup,
    "security_group_rules": SecurityGroupRule,
    "floating_ips": FloatingIp,
    "namespaces": Namespace,
    "openings": Opening,
}
_SUMMED = {
    "volume_gib": Volume.size_gib,
    "namespace_vcpus": Namespace.vcpus,
    "namespace_ram_mib": Namespace.ram_mib,
    "namespace_pods": Namespace.pods,
}
_OF_SERVERS = {"vcpus": Flavor.vcpus, "ram_mib": Flavor.ram_mib}


def _statements() -> dict[str, Select[int]]:
    found = {name: select(func.count()).select_from(model) for name, model in _COUNTED.items()}
    found |= {name: select(func.coalesce(func.sum(column), 0)) for name, column in _SUMMED.items()}
    found |= {
        name: select(func.coalesce(func.sum(column), 0)).join(Server, Server.flavor_id == Flavor.id)
        for name, column in _OF_SERVERS.items()
    }
    found["kubeconfigs"] = select(func.count()).where(Kubeconfig.deletion_requested_at.is_(None))
    return found


_STATEMENTS = _statements()


async def count_usage(session: ReadSession) -> dict[str, int]:
    """Return how much of each quota is used, counted as it is when something is added."""
    return {
        name: int(await session.scalar(_STATEMENTS[name]) or 0) if name in _STATEMENTS else 0 for name in DEFAULT_QUOTAS
    }
