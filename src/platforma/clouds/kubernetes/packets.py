"""Whether the cluster's network keeps to network policies, tried with packets between pods.

A network plugin that does not enforce policies takes them without a word. So each step is tried beside its opposite:
the connection is made before, is not made under a policy that denies it, at the receiver's side and at the sender's,
and is made again when the policy is gone.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from platforma.clouds.errors import CloudError, CloudNotFound, CloudRefused
from platforma.clouds.kubernetes.api import CORE, NETWORKING, Api, Manifest
from platforma.clouds.kubernetes.labels import MANAGED, PROBE, PROBE_PREFIX
from platforma.clouds.kubernetes.resources import NetworkVerdict

PORT = 8080
_CONNECTING_SECONDS = 2

_LISTEN = f"exec nc -lk -p {PORT} -e true"
_CONNECT = f"""
end=$(( $(date +%s) + LIMIT ))
while :; do
  seen=closed
  nc -w {_CONNECTING_SECONDS} "${{CONNECT_TO%:*}}" "${{CONNECT_TO##*:}}" </dev/null && seen=open
  [ "$seen" = "$EXPECT" ] && exit 0
  [ "$(date +%s)" -ge "$end" ] && exit 1
  sleep 1
done
"""


@dataclass(frozen=True)
class Patience:
    """How long a pod may take to run (its image may have to be fetched), and the network to heed a policy."""

    starting_seconds: float = 120.0
    changing_seconds: float = 30.0
    poll_seconds: float = 0.5


class Pods:
    """Pods that listen and pods that connect, such as Pod Security's `restricted` admits."""

    def __init__(self, api: Api, image: str, patience: Patience) -> None:
        self._api = api
        self._image = image
        self._patience = patience

    def listen(self, namespace: str) -> str | None:
        """Have a pod that listens, and return its address; None if it did not come to run in time."""
        name = f"listen-{secrets.token_hex(4)}"
        self._create(namespace, name, _LISTEN, {})
        deadline = time.monotonic() + self._patience.starting_seconds
        while time.monotonic() < deadline:
            status = self._status(namespace, name)
            if status.get("phase") == "Running" and status.get("podIP"):
                return str(status["podIP"])
            time.sleep(self._patience.poll_seconds)
        return None

    def sees(self, namespace: str, address: str, expected: str, seconds: float) -> bool:
        """Say whether a new pod sees a listening one as expected, `open` or `closed`, within the time."""
        name = f"connect-{secrets.token_hex(4)}"
        environment = {"CONNECT_TO": f"{address}:{PORT}", "EXPECT": expected, "LIMIT": f"{seconds:.0f}"}
        self._create(namespace, name, _CONNECT, environment)
        deadline = time.monotonic() + seconds + self._patience.starting_seconds
        while time.monotonic() < deadline:
            phase = self._status(namespace, name).get("phase")
            if phase in ("Succeeded", "Failed"):
                return bool(phase == "Succeeded")
            time.sleep(self._patience.poll_seconds)
        return False

    def _create(self, namespace: str, name: str, script: str, environment: dict[str, str]) -> None:
        """Make a pod; a new namespace admits none until it has got its service account."""
        deadline = time.monotonic() + self._patience.starting_seconds
        while True:
            try:
                self._api.create(self._pod(namespace, name, script, environment))
                return
            except CloudRefused:
                if time.monotonic() > deadline:
                    raise
            time.sleep(self._patience.poll_seconds)

    def _status(self, namespace: str, name: str) -> Manifest:
        return dict(self._api.get(CORE, "Pod", name, namespace).get("status") or {})

    def _pod(self, namespace: str, name: str, script: str, environment: dict[str, str]) -> Manifest:
        container = {
            "name": "probe",
            "image": self._image,
            "command": ["sh", "-c", script],
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "resources": {
                "limits": {"cpu": "100m", "memory": "32Mi"},
                "requests": {"cpu": "10m", "memory": "16Mi"},
            },
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        security = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
        longest = 4 * (self._patience.starting_seconds + self._patience.changing_seconds)
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {PROBE: "true"}},
            "spec": {
                "containers": [container],
                "securityContext": security,
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "activeDeadlineSeconds": max(60, int(longest)),
            },
        }


def try_network(api: Api, image: str, patience: Patience) -> tuple[NetworkVerdict, str]:
    """Return the verdict, and a sentence about how it came about. Raises CloudError if the cluster is away."""
    pods = Pods(api, image, patience)
    with _two_namespaces(api) as (sender, receiver):
        address = pods.listen(receiver)
        if address is None:
            return NetworkVerdict.UNPROVEN, f"No pod came to run within {patience.starting_seconds:.0f} seconds."
        if not pods.sees(sender, address, "open", patience.starting_seconds):
            return NetworkVerdict.UNPROVEN, "A pod could not reach another although no policy forbade it."
        for namespace, direction, of in ((receiver, "Ingress", "coming in"), (sender, "Egress", "going out")):
            policy = api.create(_denial(namespace, direction))
            if not pods.sees(sender, address, "closed", patience.changing_seconds):
                return NetworkVerdict.NOT_ENFORCED, f"A policy that denies all traffic {of} changed nothing."
            api.delete(policy)
            if not pods.sees(sender, address, "open", patience.changing_seconds):
                return NetworkVerdict.UNPROVEN, "The connection stayed closed after the policy was gone."
    return NetworkVerdict.ENFORCED, "Policies closed a connection at either side, and it opened again without them."


def remove_leftovers(api: Api) -> None:
    """Remove the namespaces of trials that were cut off. One that cannot be removed now is left for the next time."""
    for namespace in api.list_objects(CORE, "Namespace", labels={PROBE: "true"}):
        if namespace["metadata"]["name"].startswith(PROBE_PREFIX):
            try:
                api.delete(namespace)
            except CloudError:
                continue


@contextmanager
def _two_namespaces(api: Api) -> Iterator[tuple[str, str]]:
    names = [f"{PROBE_PREFIX}{secrets.token_hex(4)}-{side}" for side in ("sender", "receiver")]
    made = []
    try:
        for name in names:
            made.append(api.create(_namespace(name)))
        yield names[0], names[1]
    finally:
        for each in made:
            try:
                api.delete(each)
            except CloudNotFound:
                continue


def _namespace(name: str) -> Manifest:
    labels = {PROBE: "true", MANAGED: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _denial(namespace: str, direction: str) -> Manifest:
    return {
        "apiVersion": NETWORKING,
        "kind": "NetworkPolicy",
        "metadata": {"name": f"deny-{direction.lower()}", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": [direction]},
    }
