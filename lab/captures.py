"""Sockets within network namespaces: frames are sent from there as they are, and counted where they come out."""

import ctypes
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab.hypervisors import namespace_path

_CLONE_NEWNET = 0x40000000
_ALL = socket.htons(0x0003)
_KEPT_FRAMES = 200_000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Have the calling thread be in a network namespace; sockets that it makes there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(namespace_path(namespace), os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(there)
        os.close(home)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Wire:
    """An interface of a namespace: what comes in is kept, and anything can be sent."""

    def __init__(self, namespace: str, interface: str = "eth0") -> None:
        with inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self._socket.bind((interface, 0))
        self._frames: list[bytes] = []
        self._is_open = True
        self._thread = threading.Thread(target=self._receive, name=f"wire {namespace}", daemon=True)
        self._thread.start()

    def send(self, *frames: bytes) -> None:
        """Send frames as they are."""
        for frame in frames:
            self._socket.send(frame)

    def count(self, token: bytes) -> int:
        """Return how many frames with a token have come in."""
        return sum(token in frame for frame in self._frames)

    def forget(self) -> None:
        """Count anew."""
        self._frames = []

    def close(self) -> None:
        """Stop."""
        self._is_open = False
        self._thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while self._is_open:
            ready, _, _ = select.select([self._socket], [], [], 0.2)
            if ready:
                frame, sender = self._socket.recvfrom(65535)
                if sender[2] != socket.PACKET_OUTGOING and len(self._frames) < _KEPT_FRAMES:
                    self._frames.append(frame)
