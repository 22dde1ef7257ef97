"""A network that is only imagined: which pods would reach which, by the network policies that are stored.

No packet flows. It is there so that an examination of the stand-in can come to an end, and only if the stand-in was
asked to simulate, which `/version` tells everybody. Pods are shown as running; a pod whose container has CONNECT_TO and
EXPECT in its environment ends as soon as what it expects is so, or fails when LIMIT seconds are over.
"""

from __future__ import annotations

import copy
import ipaddress
import time
from typing import Any

from devcloud.kubernetes.fields import now
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.resources import Resources
from devcloud.kubernetes.selectors import selects
from devcloud.kubernetes.store import Object, Store

POD_NETWORK = ipaddress.ip_network("10.244.0.0/16")
NODE = "devcloud"
NODE_ADDRESS = "192.0.2.10"
NETWORKING = "networking.k8s.io"


class Network:
    """Runs no pods, and says that it does. `is_enforcing` is whether it heeds network policies, as not all do."""

    def __init__(self, *, is_enforcing: bool = True) -> None:
        self.is_enforcing = is_enforcing
        self._last = 1

    def tick(self, resources: Resources) -> None:
        """Have new pods run, and probes end."""
        for pod in list(resources.store.objects(kind("pods"))):
            phase = pod.get("status", {}).get("phase", "Pending")
            if phase == "Pending":
                self._start(resources.store, pod)
            elif phase == "Running":
                self._probe(resources.store, pod)

    def reaches(self, store: Store, source: Object, target: Object, port: int, protocol: str = "TCP") -> bool:
        """Say whether a connection from pod to pod would be made."""
        if not self.is_enforcing:
            return True
        return _admits(store, source, target, "Egress", port, protocol) and _admits(
            store, target, source, "Ingress", port, protocol
        )

    def _start(self, store: Store, pod: Object) -> None:
        self._last += 1
        address = str(POD_NETWORK[self._last])
        changed = copy.deepcopy(pod)
        changed["spec"].setdefault("nodeName", NODE)
        statuses = [
            {"name": each["name"], "ready": True, "restartCount": 0, "image": each.get("image", ""), "imageID": ""}
            | {"state": {"running": {"startedAt": now()}}}
            for each in pod["spec"]["containers"]
        ]
        changed["status"] = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": NODE_ADDRESS,
            "startTime": now(),
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": statuses,
        }
        store.put(kind("pods"), changed)

    def _probe(self, store: Store, pod: Object) -> None:
        environment = {
            each["name"]: each.get("value", "") for c in pod["spec"]["containers"] for each in c.get("env", ())
        }
        if "CONNECT_TO" not in environment:
            return
        host, _, port = environment["CONNECT_TO"].rpartition(":")
        target = next(
            (p for p in store.objects(kind("pods")) if p.get("status", {}).get("podIP") == host.strip("[]")), None
        )
        is_open = target is not None and self.reaches(store, pod, target, int(port))
        if is_open == (environment["EXPECT"] == "open"):
            _finish(store, pod, "Succeeded", 0)
        elif _age(pod) > float(environment["LIMIT"]):
            _finish(store, pod, "Failed", 1)


def _finish(store: Store, pod: Object, phase: str, code: int) -> None:
    changed = copy.deepcopy(pod)
    changed["status"]["phase"] = phase
    for each in changed["status"]["containerStatuses"]:
        each |= {"ready": False, "state": {"terminated": {"exitCode": code, "finishedAt": now()}}}
    store.put(kind("pods"), changed)


def _age(pod: Object) -> float:
    started = time.strptime(pod["status"]["startTime"], "%Y-%m-%dT%H:%M:%SZ")
    return time.mktime(time.gmtime()) - time.mktime(started)


def _admits(store: Store, pod: Object, peer: Object, direction: str, port: int, protocol: str) -> bool:
    """Say whether the policies that choose a pod let it talk to a peer in a direction: one that does is enough."""
    namespace = pod["metadata"]["namespace"]
    chosen = [
        policy
        for policy in store.objects(kind("networkpolicies", NETWORKING), namespace)
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"].get("podSelector", {}), _labels(pod))
    ]
    if not chosen:
        return True
    field, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return any(
        _has_port(rule, port, protocol) and _has_peer(store, rule.get(side), namespace, peer)
        for policy in chosen
        for rule in policy["spec"].get(field, ())
    )


def _has_port(rule: dict[str, Any], port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    if not ports:
        return True
    for each in ports:
        first = each.get("port")
        if each.get("protocol", "TCP") == protocol and (
            first is None or (isinstance(first, int) and first <= port <= each.get("endPort", first))
        ):
            return True
    return False


def _has_peer(store: Store, peers: list[dict[str, Any]] | None, namespace: str, peer: Object) -> bool:
    if not peers:
        return True
    return any(_is_peer(store, each, namespace, peer) for each in peers)


def _is_peer(store: Store, each: dict[str, Any], namespace: str, peer: Object) -> bool:
    if "ipBlock" in each:
        address = ipaddress.ip_address(peer["status"]["podIP"])
        excepted = [ipaddress.ip_network(cidr) for cidr in each["ipBlock"].get("except", ())]
        return address in ipaddress.ip_network(each["ipBlock"]["cidr"]) and not any(address in net for net in excepted)
    home = peer["metadata"]["namespace"]
    if "namespaceSelector" in each:
        if not selects(each["namespaceSelector"], _labels(store.find(kind("namespaces"), "", home))):
            return False
    elif home != namespace:
        return False
    return selects(each.get("podSelector", {}), _labels(peer))


def _labels(value: Object | None) -> dict[str, str]:
    return dict((value or {}).get("metadata", {}).get("labels") or {})
