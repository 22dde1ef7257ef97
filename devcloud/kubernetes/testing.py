"""A stand-in inside the process that tests: it starts in a moment, and a test can make it fail.

with running_cluster() as cluster:
    credential = ClusterCredential.from_kubeconfig(cluster.kubeconfig)
    cluster.faults.inject("GET", "/namespaces/", status=503)
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from devcloud.kubernetes.assembly import assemble
from devcloud.kubernetes.certificates import LOOPBACK, Certificates, make_certificates
from devcloud.kubernetes.faults import Faults
from devcloud.kubernetes.layout import kubeconfig
from devcloud.kubernetes.network import Network
from devcloud.kubernetes.server import ApiServer
from devcloud.kubernetes.serving import Server, listen
from devcloud.openstack.errors import StartError

START_SECONDS = 20.0


@dataclass(frozen=True)
class RunningCluster:
    """A stand-in that runs: how to get in as its administrator, and how to make it fail."""

    server: str
    certificate_authority: str
    token: str = field(repr=False)
    api: ApiServer = field(repr=False)

    @property
    def kubeconfig(self) -> str:
        """The administrator's kubeconfig."""
        return kubeconfig(self.server, self.certificate_authority, self.token)

    @property
    def faults(self) -> Faults:
        """Where faults are planted."""
        return self.api.faults


@cache
def _certificates() -> Certificates:
    return make_certificates()


@contextmanager
def running_cluster(
    *,
    network: Network | None = None,
    policy_delay_seconds: float = 0.1,
    remembered_seconds: float = 0.5,
) -> Iterator[RunningCluster]:
    """Have a new cluster for the time of the block. With a network it simulates one, and says so."""
    certificates = _certificates()
    token = secrets.token_urlsafe(24)
    api = assemble(
        token,
        certificates.authority,
        network=network,
        policy_delay_seconds=policy_delay_seconds,
        remembered_seconds=remembered_seconds,
    )
    server = Server(api, certificates)
    listener = listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait(server, thread)
        port = listener.getsockname()[1]
        yield RunningCluster(f"https://{LOOPBACK}:{port}", certificates.authority, token, api)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()


def _wait(server: Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise StartError("the stand-in of Kubernetes did not start")
        time.sleep(0.005)
