"""The stage of the operations' tests serves here too."""

from tests.operations.conftest import _logs, member, openstack_cloud, stage, tenant_id

__all__ = ["_logs", "member", "openstack_cloud", "stage", "tenant_id"]
