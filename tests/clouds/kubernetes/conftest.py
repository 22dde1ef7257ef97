"""The cluster that the contract is tried on: the stand-in, or the one that PLATFORMA_TEST_KUBECONFIG leads to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcloud.kubernetes.network import Network
from devcloud.kubernetes.testing import RunningCluster, running_cluster
from platforma.clouds.kubernetes.packets import Patience
from tests.clouds.kubernetes.stage import ClusterStage

KUBECONFIG = "PLATFORMA_TEST_KUBECONFIG"
QUICK = Patience(starting_seconds=10.0, changing_seconds=5.0, poll_seconds=0.02)


@pytest.fixture(scope="session")
def cluster_stage() -> Iterator[ClusterStage]:
    """A cluster with all of Platforma's in it, and two tenants that nobody else has."""
    path = os.environ.get(KUBECONFIG)
    if path:
        stage = ClusterStage(Path(path).read_text(), Patience(), dns_labels=os.environ.get("PLATFORMA_TEST_DNS_LABELS"))
        try:
            yield stage
        finally:
            stage.clear()
        return
    with running_cluster(network=Network()) as running:
        yield ClusterStage(running.kubeconfig, QUICK)


@pytest.fixture
def stand_in() -> Iterator[RunningCluster]:
    """A stand-in of a test's own, which it may make fail."""
    with running_cluster(network=Network()) as running:
        yield running
