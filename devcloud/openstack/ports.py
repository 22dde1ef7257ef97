"""Choosing loopback ports."""

from __future__ import annotations

import random
import socket

from devcloud.openstack.errors import DevcloudError
from devcloud.openstack.layout import LOOPBACK

# Below the kernel's range for outgoing connections (32768 and up), so that nobody's client socket
# takes a port while the server that it was chosen for is down.
RANGE = range(20000, 32000)
ATTEMPTS = 200


def free_ports(count: int) -> int:
    """The first of `count` consecutive ports on which nothing listens."""
    for _ in range(ATTEMPTS):
        port = random.randrange(RANGE.start, RANGE.stop - count)
        if are_free(port, count):
            return port
    raise DevcloudError(f"no {count} free ports in a row between {RANGE.start} and {RANGE.stop}")


def are_free(first: int, count: int) -> bool:
    """Whether nothing listens on `count` ports from `first`."""
    for port in range(first, first + count):
        with socket.socket() as probe:
            # As the servers do: connections that are still closing do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
