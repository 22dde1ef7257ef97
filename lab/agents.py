"""Neutron's agents: one for the bridges of each hypervisor, and on the first those for routers and DHCP."""

from pathlib import Path

from lab.cloud import Cloud
from lab.hypervisors import on_host
from lab.layout import EXTERNAL_BRIDGE, HOSTS, PHYSICAL_NETWORK, Layout, controller_address, host_address
from lab.processes import Background, wait_until
from lab.services import queue_url, write_ini

START_SECONDS = 240.0
_EBTABLES = """#!/bin/sh
# nftables' ebtables cannot delete a rule with --among-src ("Invalid argument"), and the agent tries again for ever.
# Its chain holds nothing else but the last DROP: empty it instead. The agent adds the new rule at once.
case " $* " in
*" -D neutronMAC-"*" --among-src "*)
    while [ "$1" != -D ]; do shift; done
    /usr/sbin/ebtables -t nat --concurrent -F "$2" && exec /usr/sbin/ebtables -t nat --concurrent -A "$2" -j DROP ;;
esac
exec /usr/sbin/ebtables "$@"
"""
BRIDGES = "neutron-linuxbridge-agent"
ROUTERS = "neutron-l3-agent"
LEASES = "neutron-dhcp-agent"


def start(layout: Layout, background: Background) -> None:
    """Start them."""
    files = {host: _host_file(layout, host) for host in HOSTS}
    routers = write_ini(
        layout,
        "neutron/l3.ini",
        {"DEFAULT": {"interface_driver": "linuxbridge", "agent_mode": "legacy", "enable_metadata_proxy": "false"}},
    )
    leases = write_ini(
        layout,
        "neutron/dhcp.ini",
        {
            "DEFAULT": {
                "interface_driver": "linuxbridge",
                "dhcp_driver": "neutron.agent.linux.dhcp.Dnsmasq",
                "enable_isolated_metadata": "false",
                "num_sync_threads": 2,
            }
        },
    )
    first = HOSTS[0]
    _write_ebtables()
    for host in HOSTS:
        background.start(f"bridges-{host}", on_host(host, BRIDGES, "--config-file", files[host]))
    for name, program, file in (("routers", ROUTERS, routers), ("leases", LEASES, leases)):
        command = on_host(first, program, "--config-file", files[first], "--config-file", file)
        background.start(f"{name}-{first}", command)


def wait(background: Background, cloud: Cloud) -> None:
    """Return when Neutron has heard from all of them."""
    wanted = {(BRIDGES, host) for host in HOSTS} | {(ROUTERS, HOSTS[0]), (LEASES, HOSTS[0])}

    def are_alive() -> bool:
        background.check()
        found = cloud.get("network", "/v2.0/agents")["agents"]
        return wanted <= {(agent["binary"], agent["host"]) for agent in found if agent["alive"]}

    wait_until("all agents are alive", START_SECONDS, are_alive)


def _write_ebtables() -> None:
    """Put it before Debian's, in the lab's overlay of /usr: sudo, by which the agents run it, looks there first."""
    program = Path("/usr/local/sbin/ebtables")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(_EBTABLES)
    program.chmod(0o755)


def _host_file(layout: Layout, host: str) -> str:
    state = layout.runtime / f"neutron-{host}"
    state.mkdir()
    return write_ini(
        layout,
        f"neutron/{host}.ini",
        {
            "DEFAULT": {
                "host": host,
                "transport_url": queue_url(str(controller_address().ip)),
                "state_path": state,
            },
            "oslo_concurrency": {"lock_path": state / "lock"},
            "agent": {"root_helper": "", "report_interval": 5, "polling_interval": 1},
            "experimental": {"linuxbridge": "true"},
            "linux_bridge": {"bridge_mappings": f"{PHYSICAL_NETWORK}:{EXTERNAL_BRIDGE}"},
            "vxlan": {
                "enable_vxlan": "true",
                "local_ip": host_address(host).ip,
                "l2_population": "true",
                "udp_dstport": 4789,
            },
            "securitygroup": {
                "enable_security_group": "true",
                "enable_ipset": "true",
                "firewall_driver": "iptables",
            },
        },
    )
