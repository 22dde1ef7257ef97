"""What stands in the way of a step: whether to try again, when, and what to tell the person."""

import random
from dataclasses import dataclass
from typing import Any

from platforma.clouds.openstack.errors import CloudCredentialInvalid, CloudError, CloudQuotaExceeded

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0


@dataclass(frozen=True)
class Trouble:
    """A step that was not taken, or not to its end."""

    kind: str
    title: str
    detail: str
    is_transient: bool = False
    retry_after: float | None = None

    def problem(self, detail: str | None = None) -> dict[str, Any]:
        """Return it as it stands in `Operation.error`, by default with its own detail."""
        return {"type": f"urn:platforma:problem:{self.kind}", "title": self.title, "detail": detail or self.detail}


INTERNAL_TROUBLE = Trouble(
    "internal-error",
    "Something went wrong on our side",
    "It has been noted. Try again; if it happens again, tell your provider the id of this operation.",
)
UNKNOWN_KIND = Trouble(
    "unknown-kind", "This cannot be carried out here", "Tell your provider the id of this operation."
)
_ADVICE: dict[type[CloudError], str] = {
    CloudQuotaExceeded: "Delete what you do not need, or ask your provider for more; then try again.",
    CloudCredentialInvalid: "Tell your provider.",
}


def trouble_of(error: CloudError) -> Trouble:
    """Return what a cloud's error means for the person who waits."""
    advice = next((words for kind, words in _ADVICE.items() if isinstance(error, kind)), None)
    kind = "cloud-quota-exceeded" if isinstance(error, CloudQuotaExceeded) else "cloud-error"
    return Trouble(
        kind,
        error.sentence.removesuffix("."),
        f"{error} {advice}" if advice else str(error),
        is_transient=error.is_transient,
        retry_after=error.retry_after,
    )


def delay_seconds(attempts: int, retry_after: float | None, *, chance: float | None = None) -> float:
    """Return how long to wait after so many attempts in a row: twice as long each time, with a third of jitter.

    Never shorter than the cloud asked for, and never longer than a minute unless the cloud asked for that.
    `chance` is between 0 and 1, and drawn if it is not given.
    """
    exponential = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 16))
    drawn = random.random() if chance is None else chance  # noqa: S311 (spreads load, hides nothing)
    return max(exponential * (2 / 3 + drawn / 3), retry_after or 0.0)
