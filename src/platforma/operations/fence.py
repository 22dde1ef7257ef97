"""The fence around a cloud: nothing is asked of it after the step's time is up, or after the step was called off.

A worker that froze in mid-step is declared dead and another takes the step. When it thaws, it must not go on
making things. A step's time is shorter than the time after which its worker counts as dead, and the clock goes
on while a process is frozen; so the frozen one finds its time up before the other begins.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from platforma.clouds.openstack.errors import CloudUnavailable

T = TypeVar("T")


class StepTimeUp(CloudUnavailable):
    """The step took too long, and asks the cloud for no more."""

    sentence = "The cloud is very slow at the moment."


class Fence:
    """A deadline, and a way to end it early from another thread."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds
        self._closed = threading.Event()

    def close(self) -> None:
        """Let nothing pass from now on."""
        self._closed.set()

    def check(self) -> None:
        """Raise StepTimeUp if the time is up or the fence was closed."""
        if self._closed.is_set() or self._monotonic() >= self._end:
            raise StepTimeUp

    def around(self, cloud: T) -> T:
        """Return the same cloud, each method of which checks the fence before it does anything.

        So does the volume that its `open_volume` returns, for a late overwrite would hit whoever has the space by then.
        """
        return cast(T, _Fenced(cloud, self))


class _Fenced(Generic[T]):
    def __init__(self, cloud: T, fence: Fence) -> None:
        self._cloud = cloud
        self._fence = fence

    def __getattr__(self, name: str) -> Any:
        if name == "close":  # what is open is let go of whatever the time
            return getattr(self._cloud, name)
        self._fence.check()
        attribute = getattr(self._cloud, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            self._fence.check()
            result = attribute(*args, **kwargs)
            return _Fenced(result, self._fence) if attribute.__name__ == "open_volume" else result

        return call
