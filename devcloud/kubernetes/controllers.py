"""What the controller manager does for the kinds that Platforma uses: namespaces begin with a service account, and end.

Controllers ask as their own service accounts, and admission judges them as it judges everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from devcloud.kubernetes.authentication import service_account_user
from devcloud.kubernetes.kinds import kind, kinds
from devcloud.kubernetes.network import Network
from devcloud.kubernetes.problems import ApiProblem
from devcloud.kubernetes.resources import Call, Resources
from devcloud.kubernetes.store import Object

TICK_SECONDS = 0.05
SAVE_TICKS = 20

_NAMESPACES = service_account_user("kube-system", "namespace-controller")
_ACCOUNTS = service_account_user("kube-system", "service-account-controller")
_ROOT_CA = service_account_user("kube-system", "root-ca-cert-publisher")
_GARBAGE = service_account_user("kube-system", "generic-garbage-collector")


class Controllers:
    """Runs until it is cancelled. With a network, pods are shown as running, and the packets of probes are judged."""

    def __init__(self, resources: Resources, certificate_authority: str, network: Network | None) -> None:
        self._resources = resources
        self._store = resources.store
        self._certificate_authority = certificate_authority
        self._network = network

    async def run(self) -> None:
        """Look after everything at each tick in which something may have to be done, and save now and then."""
        ticks = 0
        while True:
            self.tick()
            ticks += 1
            if ticks % SAVE_TICKS == 0:
                self._store.save()
            await asyncio.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Do what is to be done now."""
        for namespace in list(self._store.objects(kind("namespaces"))):
            if "deletionTimestamp" in namespace["metadata"]:
                self._end(namespace)
            else:
                self._begin(namespace)
        if self._network is not None:
            self._network.tick(self._resources)

    def _begin(self, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        self._have(name, "serviceaccounts", "default", _ACCOUNTS, {})
        content = {"data": {"ca.crt": self._certificate_authority}}
        self._have(name, "configmaps", "kube-root-ca.crt", _ROOT_CA, content)

    def _have(self, namespace: str, plural: str, name: str, user: Any, content: dict[str, Any]) -> None:
        if self._store.find(kind(plural), namespace, name) is not None:
            return
        body = {"apiVersion": "v1", "kind": kind(plural).kind, "metadata": {"name": name}, **content}
        with contextlib.suppress(ApiProblem):
            self._resources.create(Call(kind(plural), user, namespace, manager="kube-controller-manager"), body)

    def _end(self, namespace: Object) -> None:
        """Delete what is in the namespace, and then itself. What admission refuses keeps it for ever."""
        name = namespace["metadata"]["name"]
        for each in kinds().values():
            if each.is_namespaced:
                for value in list(self._store.objects(each, name)):
                    call = Call(each, _NAMESPACES, name, value["metadata"]["name"])
                    with contextlib.suppress(ApiProblem):
                        self._resources.delete(call, {})
        if not any(self._store.count(each, name) for each in kinds().values() if each.is_namespaced):
            self._store.remove(kind("namespaces"), namespace)
