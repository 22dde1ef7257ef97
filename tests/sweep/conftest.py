"""Tenants on a fake cloud, asked over HTTP, and the operator's plane beside them."""

from tests.api_client import a, b, catalogue, client
from tests.operations.conftest import _logs, openstack_cloud, stage
from tests.operator.conftest import limit, nobody, plane, settings

__all__ = ["_logs", "a", "b", "catalogue", "client", "limit", "nobody", "openstack_cloud", "plane", "settings", "stage"]
