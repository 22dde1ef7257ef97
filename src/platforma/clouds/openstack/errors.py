"""What can go wrong between Platforma and OpenStack: the errors of every cloud."""

from platforma.clouds.errors import (
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

__all__ = [
    "CloudAnswerInvalid",
    "CloudConflict",
    "CloudCredentialInvalid",
    "CloudError",
    "CloudForeignObject",
    "CloudNotFound",
    "CloudQuotaExceeded",
    "CloudRefused",
    "CloudThrottled",
    "CloudUnavailable",
]
