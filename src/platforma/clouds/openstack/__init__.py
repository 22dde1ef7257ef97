"""OpenStack: the Protocols that the product builds on, and the real client. Nothing else imports its SDK.

The SDK is loaded with `CloudPool`, when somebody asks for it: a portal process, which talks to no cloud, never does.
"""

from typing import TYPE_CHECKING, Any

from platforma.clouds.openstack.errors import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudForeignObject,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
)
from platforma.clouds.openstack.protocol import CloudAdministration, Clouds, ProjectCloud
from platforma.clouds.openstack.resources import (
    AdministratorCredential,
    CloudAttachment,
    CloudFlavor,
    CloudFloatingIp,
    CloudId,
    CloudImage,
    CloudKeyPair,
    CloudKind,
    CloudNetwork,
    CloudObject,
    CloudPort,
    CloudRouter,
    CloudSecurityGroup,
    CloudServer,
    CloudSubnet,
    CloudVolume,
    Finding,
    FixedAddress,
    Ipv6Mode,
    OpenStackSettings,
    ProjectCredential,
    Reference,
    RuleSpec,
    ServerAddress,
    cloud_name,
    find_own_id,
    server_hostname,
)

if TYPE_CHECKING:
    from platforma.clouds.openstack.pool import CloudPool

__all__ = [
    "AdministratorCredential",
    "CloudAdministration",
    "CloudAnswerInvalid",
    "CloudAttachment",
    "CloudConflict",
    "CloudCredentialInvalid",
    "CloudError",
    "CloudFlavor",
    "CloudFloatingIp",
    "CloudForeignObject",
    "CloudId",
    "CloudImage",
    "CloudKeyPair",
    "CloudKind",
    "CloudNetwork",
    "CloudNotFound",
    "CloudObject",
    "CloudPool",
    "CloudPort",
    "CloudQuotaExceeded",
    "CloudRefused",
    "CloudRouter",
    "CloudSecurityGroup",
    "CloudServer",
    "CloudSubnet",
    "CloudThrottled",
    "CloudUnavailable",
    "CloudVolume",
    "Clouds",
    "Finding",
    "FixedAddress",
    "Ipv6Mode",
    "OpenStackSettings",
    "ProjectCloud",
    "ProjectCredential",
    "Reference",
    "RuleSpec",
    "ServerAddress",
    "cloud_name",
    "find_own_id",
    "server_hostname",
]


def __getattr__(name: str) -> Any:
    """Load the real client (PEP 562)."""
    if name == "CloudPool":
        from platforma.clouds.openstack.pool import CloudPool

        return CloudPool
    raise AttributeError(f"{__name__} has no {name}")
