"""Where clusters are opened; connections are kept while their credential is in use."""

import threading
from collections import OrderedDict
from uuid import UUID

from platforma.clouds.kubernetes.administration import KubernetesAdministration
from platforma.clouds.kubernetes.api import Api
from platforma.clouds.kubernetes.credentials import ClusterCredential
from platforma.clouds.kubernetes.packets import Patience
from platforma.clouds.kubernetes.protocol import ClusterAdministration, TenantCluster
from platforma.clouds.kubernetes.resources import DEFAULT_TIMEOUT_SECONDS
from platforma.clouds.kubernetes.tenant import KubernetesTenant

MOST_KEPT = 16


class ClusterPool:
    """See Clusters. Safe for threads."""

    def __init__(self, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS, patience: Patience | None = None) -> None:
        self._timeout_seconds = timeout_seconds
        self._patience = patience
        self._lock = threading.Lock()
        self._apis: OrderedDict[ClusterCredential, Api] = OrderedDict()

    def open_administration(self, credential: ClusterCredential) -> ClusterAdministration:
        """See Clusters."""
        return KubernetesAdministration(self._open(credential), self._open, patience=self._patience)

    def open_tenant(self, credential: ClusterCredential, tenant_id: UUID) -> TenantCluster:
        """See Clusters."""
        return KubernetesTenant(self._open(credential), tenant_id)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            apis, self._apis = self._apis, OrderedDict()
        for api in apis.values():
            api.close()

    def _open(self, credential: ClusterCredential) -> Api:
        """Return the API for a credential. The longest unused goes when there are too many; its connections close
        when nobody has it any more.
        """
        with self._lock:
            api = self._apis.pop(credential, None) or Api(credential, self._timeout_seconds)
            self._apis[credential] = api
            if len(self._apis) > MOST_KEPT:
                self._apis.popitem(last=False)
            return api
