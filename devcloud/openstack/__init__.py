"""OpenStack's own Keystone, Placement, Glance, Neutron, Cinder and Nova, as six processes without root.

The services are the real ones from PyPI, in a virtual environment of their own; only what would need
a hypervisor, a switch or a disk is replaced (`services/devcloud_plugins`). This side of the package
uses the standard library alone, so that the product's environment needs nothing for it.

    python -m devcloud.openstack up --state DIR
    python -m devcloud.openstack status --state DIR
    python -m devcloud.openstack down --state DIR [--wipe]
"""

from devcloud.openstack.cloud import Status, down, status, up
from devcloud.openstack.credentials import Credentials, read_credentials
from devcloud.openstack.errors import DevcloudError

__all__ = ["Credentials", "DevcloudError", "Status", "down", "read_credentials", "status", "up"]
