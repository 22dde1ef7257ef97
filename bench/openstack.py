"""The list of 20 networks against Neutron's own, on OpenStack's own services as `devcloud` runs them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack
from openstack.connection import Connection

from bench.lists import NETWORKS, Scale, product_side
from bench.load import Specification
from bench.results import Result
from bench.rounds import Side, compare_rounds, measure_in_turns, median_of
from bench.stage import Stage
from devcloud.openstack.cloud import down, up
from devcloud.openstack.credentials import Credentials
from devcloud.openstack.layout import Layout
from devcloud.openstack.processes import find_pid
from platforma.kit.crypto import new_token

_CONNECTIONS = 8


def bench_openstack(stage: Stage, scale: Scale) -> list[Result]:
    """Compare the product's list of networks, layers 1 and 2 included, with Neutron's, by requests a CPU second."""
    stage.make("against_neutron", tenants=scale.tenants, networks=NETWORKS)
    with _neutron_side(scale) as neutron, product_side(stage, "against_neutron", scale) as product:
        ours, theirs = measure_in_turns([product, neutron], scale.rounds)
    ratio = compare_rounds(ours, theirs, lambda item: item.throughput_per_cpu_second)
    throughput = compare_rounds(ours, theirs, lambda item: item.throughput)
    return [
        Result(
            "List of 20 networks against Neutron's, per CPU second of all that serves",
            median_of(ours, lambda item: item.throughput_per_cpu_second),
            "requests/CPU s",
            median_of(theirs, lambda item: item.throughput_per_cpu_second),
            ratio.median,
            ratio.spread,
            "at least 10",
        ),
        Result(
            "List of 20 networks against Neutron's",
            median_of(ours, lambda item: item.throughput),
            "requests/s",
            median_of(theirs, lambda item: item.throughput),
            throughput.median,
            throughput.spread,
        ),
    ]


@contextmanager
def _neutron_side(scale: Scale) -> Iterator[Side]:
    """Serve a project with as many networks, each with a subnet as in the product's database."""
    with tempfile.TemporaryDirectory(prefix="platforma-bench-openstack-") as directory:
        state = Path(directory) / "state"
        credentials = up(state, report=lambda line: print(f"openstack: {line}", flush=True))
        try:
            url, token = _make_project(credentials)
            parts = urlsplit(url)
            request = (
                f"GET /v2.0/networks HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                f"X-Auth-Token: {token}\r\nAccept: application/json\r\n\r\n"
            )
            load = Specification(str(parts.hostname), parts.port or 80, [request], _CONNECTIONS, scale.seconds)
            layout = Layout(state)
            pids = [pid for service in ("neutron", "keystone") if (pid := find_pid(layout, service))]
            yield Side(load, server=pids)
        finally:
            down(state, wipe=True)


def _make_project(credentials: Credentials) -> tuple[str, str]:
    """Make a project with a member and its networks; return Neutron's address and the member's token."""
    admin = _connect(
        credentials, credentials.admin.username, credentials.admin.password, credentials.admin.project_name
    )
    password = new_token()
    project = admin.identity.create_project(name="bench", domain_id="default")
    user = admin.identity.create_user(name="bench", password=password, domain_id="default")
    role = admin.identity.find_role("member", ignore_missing=False)
    admin.identity.assign_project_role_to_user(project, user, role)
    member = _connect(credentials, "bench", password, "bench")
    for number in range(NETWORKS):
        network = member.network.create_network(name=f"network {number}")
        member.network.create_subnet(network_id=network.id, name="s", ip_version=4, cidr=f"10.0.{number}.0/24")
    return str(member.network.get_endpoint()), str(member.auth_token)


def _connect(credentials: Credentials, username: str, password: str, project: str) -> Any:
    connection: Connection = openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_url=credentials.auth_url,
        username=username,
        password=password,
        project_name=project,
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=credentials.region,
    )
    return connection
