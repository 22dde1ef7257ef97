"""What can go wrong between Platforma and a cloud, in the words of what to do about it.

The caller asks two things of an error: is it worth trying again (`is_transient`), and if so when (`retry_after`).
"""

from typing import ClassVar


class CloudError(Exception):
    """The cloud did not do what it was asked. `str()` of it is a sentence that may be shown to a person.

    `reason` is the cloud's own explanation, without addresses, tokens and request ids, or None if it gave none.
    `retry_after` is in seconds.
    """

    is_transient: ClassVar[bool] = False
    sentence: ClassVar[str] = "The cloud did not do what it was asked."

    def __init__(self, reason: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(f"{self.sentence} It says: {reason}" if reason else self.sentence)
        self.reason = reason
        self.retry_after = retry_after


class CloudUnavailable(CloudError):
    """No connection, no answer in time, or an answer of 5xx. What was asked may or may not have been done."""

    is_transient = True
    sentence = "The cloud cannot be reached at the moment."


class CloudThrottled(CloudError):
    """The cloud limits how often it is asked (429, or 413 with Retry-After)."""

    is_transient = True
    sentence = "The cloud has been asked too often, and wants to be asked later."


class CloudConflict(CloudError):
    """The object is in no state for this yet (409): a port in use, a server in transition, a namespace that ends."""

    is_transient = True
    sentence = "The object is busy, and cannot be changed yet."


class CloudQuotaExceeded(CloudError):
    """The tenant's quota in the cloud is used up; only a person can change that."""

    sentence = "The quota in the cloud is used up."


class CloudRefused(CloudError):
    """The cloud will not do this, however often it is asked (400, 403, 422)."""

    sentence = "The cloud refuses what was asked for."


class CloudNotFound(CloudError):
    """There is no such object of the tenant (404)."""

    sentence = "There is no such object in the cloud."


class CloudForeignObject(CloudNotFound):
    """The cloud answered with an object of another tenant; for the caller it does not exist.

    Seen in our logs, it means that the cloud's own isolation has a hole, or that somebody tries for one.
    """


class CloudCredentialInvalid(CloudError):
    """The credential is not, or no longer, accepted (401), or it leads elsewhere than it should."""

    sentence = "The cloud does not accept the credential."


class CloudAnswerInvalid(CloudError):
    """The answer cannot be parsed, or lacks what it must have."""

    is_transient = True
    sentence = "The cloud gave an answer that makes no sense."
