"""Tenants on a fake cloud, asked over HTTP."""

from tests.api_client import a, b, catalogue, client
from tests.operations.conftest import _logs, openstack_cloud, stage

__all__ = ["_logs", "a", "b", "catalogue", "client", "openstack_cloud", "stage"]
