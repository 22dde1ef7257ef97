"""What a cloud's operator would have put in: flavours, images, an external network, a volume type.

Everything is found by name before it is created, so that seeding again changes nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from devcloud.openstack.credentials import EXTERNAL_NETWORK
from devcloud.openstack.layout import SERVICES
from devcloud.openstack.rest import Client
from devcloud.openstack.settings import Settings

# Name, vCPUs, MiB of memory, GB of disk.
FLAVOURS = (
    ("m1.nano", 1, 64, 1),
    ("m1.small", 1, 2048, 20),
    ("m1.medium", 2, 4096, 40),
)
# Name, os_distro, os_version.
IMAGES = (
    ("debian-12", "debian", "12"),
    ("cirros-0.6", "cirros", "0.6"),
)
EXTERNAL_CIDR = "203.0.113.0/24"  # TEST-NET-3 of RFC 5737: routed nowhere
# Name, extra specs: one that leaves what was written to whoever gets the extents next, one that does not.
VOLUME_TYPES: tuple[tuple[str, dict[str, str]], ...] = (
    ("standard", {}),
    ("zeroed", {"devcloud:volume_clear": "zero"}),
)
PLACEHOLDER = "A placeholder of devcloud: a few bytes, and no operating system in them."


def seed(client: Client, settings: Settings) -> None:
    """Create what is missing. One thread for each service, as the services are what takes time."""
    work = (seed_flavours, seed_images, seed_external_network, seed_volume_types)
    with ThreadPoolExecutor(len(work)) as pool:
        for outcome in [pool.submit(step, client, settings) for step in work]:
            outcome.result()


def warm(client: Client, settings: Settings) -> None:
    """Make each service load now what it would load during somebody's first request."""
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        for outcome in [pool.submit(client.get, settings.url_of(service.name) + service.warm) for service in SERVICES]:
            outcome.result()


def seed_flavours(client: Client, settings: Settings) -> None:
    url = settings.url_of("nova") + "/v2.1/flavors"
    known = {flavour["name"] for flavour in client.get(url)["flavors"]}
    for name, vcpus, ram, disk in FLAVOURS:
        if name not in known:
            client.post(url, {"flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}})


def seed_images(client: Client, settings: Settings) -> None:
    url = settings.url_of("glance") + "/v2/images"
    known = {image["name"]: image for image in client.get(url)["images"]}
    for name, distribution, version in IMAGES:
        image = known.get(name) or client.post(
            url,
            {
                "name": name,
                "visibility": "public",
                "disk_format": "raw",
                "container_format": "bare",
                "os_distro": distribution,
                "os_version": version,
                "devcloud_placeholder": "true",
                "description": PLACEHOLDER,
            },
        )
        if image["status"] == "queued":
            client.put_bytes(f"{url}/{image['id']}/file", PLACEHOLDER.encode().ljust(4096, b"\0"))


def seed_external_network(client: Client, settings: Settings) -> None:
    url = settings.url_of("neutron") + "/v2.0"
    found = client.get(f"{url}/networks?name={EXTERNAL_NETWORK}&router:external=true")["networks"]
    network = (
        found[0]
        if found
        else client.post(
            f"{url}/networks",
            {
                "network": {
                    "name": EXTERNAL_NETWORK,
                    "router:external": True,
                    "provider:network_type": "flat",
                    "provider:physical_network": "external",
                }
            },
        )["network"]
    )
    if not network["subnets"]:
        subnet = {
            "network_id": network["id"],
            "name": EXTERNAL_NETWORK,
            "ip_version": 4,
            "cidr": EXTERNAL_CIDR,
            "enable_dhcp": False,
        }
        client.post(f"{url}/subnets", {"subnet": subnet})


def seed_volume_types(client: Client, settings: Settings) -> None:
    url = settings.url_of("cinder") + "/v3/types"
    known = {kind["name"] for kind in client.get(url)["volume_types"]}
    for name, specs in VOLUME_TYPES:
        if name not in known:
            specs = {"volume_backend_name": "pool"} | specs
            client.post(url, {"volume_type": {"name": name, "extra_specs": specs}})
