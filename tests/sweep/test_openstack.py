"""What somebody changes in OpenStack's own services is found by the sweep, mended for good, and told."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from devcloud.openstack.credentials import Credentials
from platforma.clouds.openstack import ProjectCloud
from platforma.sweep.kinds import DriftKind, Mode
from tests.api_client import Json, Member
from tests.compute.test_openstack import database, make, real, settle
from tests.devcloud.openstack.clients import connect_admin
from tests.sweep.test_sweep import choose, findings, sweep

__all__ = ["database", "real"]

pytestmark = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")

Ids = Mapping[str, str]
_ROUTE = [{"destination": "192.0.2.0/24", "nexthop": "10.7.0.9"}]

MEDDLING: Mapping[DriftKind, Callable[[Any, Ids], object]] = {
    DriftKind.RULE_ADDED: lambda n, ids: n.create_security_group_rule(
        security_group_id=ids["security_groups"], direction="ingress", ether_type="IPv4"
    ),
    DriftKind.RULE_MISSING: lambda n, ids: n.delete_security_group_rule(
        n.get_security_group(ids["busy_group"]).security_group_rules[0]["id"]
    ),
    DriftKind.SHARE: lambda n, ids: n.create_rbac_policy(
        object_type="network", object_id=ids["networks"], action="access_as_shared", target_project_id=uuid4().hex
    ),
    DriftKind.PORT_SECURITY_OFF: lambda n, ids: n.update_port(
        ids["ports"], security_group_ids=[], is_port_security_enabled=False
    ),
    DriftKind.ADDRESS_PAIR: lambda n, ids: n.update_port(
        ids["second"], allowed_address_pairs=[{"ip_address": "10.0.0.0/8"}]
    ),
    DriftKind.PORT_GROUPS: lambda n, ids: n.update_port(ids["third"], security_group_ids=[]),
    DriftKind.DHCP_OPTION: lambda n, ids: n.update_port(
        ids["third"], extra_dhcp_opts=[{"opt_name": "router", "opt_value": "10.7.0.66", "ip_version": 4}]
    ),
    DriftKind.ROUTE: lambda n, ids: (
        n.update_router(ids["routers"], routes=_ROUTE),
        n.update_subnet(ids["subnets"], host_routes=_ROUTE),
    ),
    DriftKind.GATEWAY: lambda n, ids: n.update_router(ids["spare"], external_gateway_info={}),
    DriftKind.FLOATING_IP: lambda n, ids: n.update_ip(ids["floating_ips"], port_id=None),
    DriftKind.UNKNOWN: lambda n, ids: (
        n.create_network(name="stranger"),
        n.create_security_group(name="stranger"),
        n.create_port(network_id=ids["networks"], name="stranger"),
        n.create_router(name="stranger"),
    ),
    DriftKind.MISSING: lambda n, ids: (n.delete_port(ids["fourth"]), n.delete_security_group(ids["unused"])),
}
"""By what is found of it; on objects that differ, so that all is found by one look."""


async def furnish(a: Member) -> dict[str, str]:
    """Make one of each kind of network's things; return their ids in the cloud."""
    inner = await a.wish("POST", "/routers", {"name": "inner", "has_external_gateway": False})
    edge = await a.wish("POST", "/routers", {"name": "edge"})
    spare = await a.wish("POST", "/routers", {"name": "spare"})
    subnets = [{"cidr": "10.8.0.0/24", "router_id": edge["id"]}]
    outer = await a.wish("POST", "/networks", {"name": "out", "subnets": subnets})
    subnets = [{"cidr": "10.7.0.0/24", "router_id": inner["id"]}]
    network = await a.wish("POST", "/networks", {"name": "web", "subnets": subnets})
    rule = {"protocol": "tcp", "port_range_min": 443, "port_range_max": 443}
    groups = [
        await a.wish("POST", "/security-groups", {"name": name, "rules": [rule]}) for name in ("one", "busy", "no")
    ]
    await settle(a)

    async def port(name: str, where: Json = network) -> Json:
        body = {"name": name, "network_id": where["id"], "security_group_ids": [groups[1]["id"]]}
        return await a.wish("POST", "/ports", body)

    ports = [await port(name) for name in ("first", "second", "third", "fourth")]
    led = await port("led", outer)
    floating = await make(a, "/floating-ips", {"name": "vip", "port_id": led["id"]})

    async def cloud_id(table: str, id_: str) -> str:
        row = await a.stage.row(f"SELECT cloud_id FROM {table} WHERE id = %s", id_)
        return str(row["cloud_id"])

    return {
        "security_groups": await cloud_id("security_groups", groups[0]["id"]),
        "busy_group": await cloud_id("security_groups", groups[1]["id"]),
        "unused": await cloud_id("security_groups", groups[2]["id"]),
        "networks": await cloud_id("networks", network["id"]),
        "subnets": await cloud_id("subnets", network["subnets"][0]["id"]),
        "routers": await cloud_id("routers", inner["id"]),
        "spare": await cloud_id("routers", spare["id"]),
        "ports": await cloud_id("ports", ports[0]["id"]),
        "second": await cloud_id("ports", ports[1]["id"]),
        "third": await cloud_id("ports", ports[2]["id"]),
        "fourth": await cloud_id("ports", ports[3]["id"]),
        "floating_ips": await cloud_id("floating_ips", floating["id"]),
    }


@pytest.mark.long
async def test_each_kind_is_mended_for_good(real: Member) -> None:
    stage = real.stage
    row = await stage.row("SELECT sealed FROM cloud_credentials WHERE tenant_id = %s", real.tenant_id)
    project: Any = await asyncio.to_thread(stage.access.open_project, real.tenant_id, bytes(row["sealed"]))
    ids = await furnish(real)
    assert await sweep(real) == []
    before = await look(project)
    neutron = project._connection.network  # what a thief of the tenant's credential has
    for meddle in MEDDLING.values():
        await asyncio.to_thread(meddle, neutron, ids)
    for kind in (DriftKind.UNKNOWN, DriftKind.MISSING):
        await choose(real, kind, Mode.MEND)

    found = await sweep(real)
    assert {row["kind"] for row in found} == set(MEDDLING), found
    assert {row["status"] for row in found} == {"mending"}
    assert all(row["evidence"] for row in found)
    await settle(real)
    assert await sweep(real) == [], "it is as it was"
    assert {row["status"] for row in await findings(real)} == {"mended"}
    assert await look(project) == before

    query = "SELECT action, details->>'finding' AS kind FROM audit_events WHERE tenant_id = %s AND action ~ '^sweep'"
    lines = await stage.rows(query, real.tenant_id)
    for action in ("sweep.found", "sweep.mend", "sweep.mended"):
        assert sorted(line["kind"] for line in lines if line["action"] == action) == [row["kind"] for row in found]
    operations = await stage.rows("SELECT id FROM operations WHERE tenant_id = %s", real.tenant_id)
    assert await sweep(real) == []
    assert len(await stage.rows("SELECT id FROM operations WHERE tenant_id = %s", real.tenant_id)) == len(operations)
    assert len(await stage.rows(query, real.tenant_id)) == len(lines)


async def look(project: ProjectCloud) -> Any:
    """Return what the project looks like, without the ids of what was made anew."""
    seen = await asyncio.to_thread(project.survey)
    return (
        {kind: sorted(item.name for item in items) for kind, items in seen.objects.items()},
        sorted(sorted(str(traffic) for traffic in rules.values()) for rules in seen.rules.values()),
        sorted(
            (port.is_secured, len(port.group_cloud_ids), port.allowed_addresses, port.dhcp_options)
            for port in seen.ports
        ),
        sorted((router.has_external_gateway, router.routes) for router in seen.routers),
        (seen.shares, seen.unsecured_networks, seen.host_routes, sorted(map(bool, seen.floating_ips.values()))),
    )


async def test_an_attachment_deleted_underneath_nova_is_fenced(real: Member, openstack_cloud: Credentials) -> None:
    """S02, CVE-2023-2088: Cinder takes the volume for free, and the server reads it still."""
    stage = real.stage
    network = await make(real, "/networks", {"name": "web", "subnets": [{"cidr": "10.7.0.0/24"}]})
    server = await make(real, "/servers", real.server_body(network["id"]))
    volume = await make(real, "/volumes", {"name": "data", "size_gib": 1})
    await real.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    await settle(real)
    assert await sweep(real) == []
    row = await stage.row("SELECT sealed FROM cloud_credentials WHERE tenant_id = %s", real.tenant_id)
    project: Any = await asyncio.to_thread(stage.access.open_project, real.tenant_id, bytes(row["sealed"]))
    ids = await stage.row(
        "SELECT v.cloud_id AS volume, s.cloud_id AS server FROM volumes v, servers s"
        " WHERE v.tenant_id = %s AND s.tenant_id = v.tenant_id",
        real.tenant_id,
    )
    volume_id, server_id = ids["volume"], ids["server"]

    def underneath() -> None:
        with connect_admin(openstack_cloud) as administrator:
            storage: Any = administrator.connection.block_storage
            storage.reset_volume_status(volume_id, "available", "detached", None)

    await asyncio.to_thread(underneath)
    assert await asyncio.to_thread(project.list_holders, volume_id) == {server_id}
    (found,) = await sweep(real)
    assert (found["kind"], found["evidence"]["said_by"]) == (DriftKind.ATTACHMENT, "Nova alone")
    assert await asyncio.to_thread(project.list_holders, volume_id) == set()
    assert (await asyncio.to_thread(project.get_volume, volume_id)).status == "available"
    (again,) = await sweep(real)
    assert (again["evidence"]["nova"], again["evidence"]["wanted"]) == ([], [server_id])
    await settle(real)
    assert await sweep(real) == []
    assert await asyncio.to_thread(project.list_holders, volume_id) == {server_id}
