"""How a canary tenant comes to own networks and what belongs to them."""

from platforma.kit.probes import Belonging, Layer, Party

_API = "/api/v1"


async def _network(party: Party) -> str | None:
    body = {"name": f"network {party.mark}", "subnets": [{"cidr": "10.77.0.0/24"}]}
    return await party.settle(await party.ask("POST", f"{_API}/networks", body=body))


async def _subnet(party: Party) -> str | None:
    network = (await party.ask("GET", f"{_API}/networks/{party.ids['network_id']}")).json()
    return str(network["subnets"][0]["id"]) if network["subnets"] else None


async def _router(party: Party) -> str | None:
    body = {"name": f"router {party.mark}", "has_external_gateway": False}
    return await party.settle(await party.ask("POST", f"{_API}/routers", body=body))


async def _group(party: Party) -> str | None:
    body = {"name": f"group {party.mark}"}
    return await party.settle(await party.ask("POST", f"{_API}/security-groups", body=body))


async def _rule(party: Party) -> str | None:
    path = f"{_API}/security-groups/{party.ids['security_group_id']}"
    body = {
        "protocol": "tcp",
        "port_range_min": 4433,
        "port_range_max": 4433,
        "remote_ip_prefix": "198.51.100.0/24",
        "description": party.mark,
    }
    await party.settle(await party.ask("POST", f"{path}/rules", body=body))
    rules = (await party.ask("GET", path)).json()["rules"]
    return next((str(rule["id"]) for rule in rules if rule["description"] == party.mark), None)


async def _port(party: Party) -> str | None:
    ports = (await party.ask("GET", f"{_API}/ports?server_id={party.ids['server_id']}")).json()["items"]
    return str(ports[0]["id"]) if ports else None


async def _floating_ip(party: Party) -> str | None:
    body = {"name": f"address {party.mark}"}
    return await party.settle(await party.ask("POST", f"{_API}/floating-ips", body=body))


BELONGINGS = (
    Belonging("network_id", _network, Layer.NETWORK, aliases=("resource_id",)),
    Belonging("subnet_id", _subnet, Layer.NETWORK, needs=("network_id",)),
    Belonging("router_id", _router, Layer.NETWORK),
    Belonging("security_group_id", _group, Layer.NETWORK, aliases=("remote_group_id",)),
    Belonging("rule_id", _rule, Layer.NETWORK, needs=("security_group_id",)),
)
LATER_BELONGINGS = (
    Belonging("port_id", _port, Layer.NETWORK),
    Belonging("floating_ip_id", _floating_ip, Layer.NETWORK, is_optional=True),
)
"""What needs a server first."""
