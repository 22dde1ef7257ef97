"""The Pod Security Standards, for pods, by the labels of their namespace.

Docs: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from devcloud.kubernetes.admission.write import Write
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.problems import forbidden
from devcloud.kubernetes.store import Store

ENFORCE = "pod-security.kubernetes.io/enforce"

_RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
}


def check_pod_security(store: Store, write: Write) -> None:
    """Refuse a pod that its namespace's level does not admit."""
    if write.object is None or not write.is_of("pods"):
        return
    namespace = store.find(kind("namespaces"), "", write.namespace)
    level = (namespace or {}).get("metadata", {}).get("labels", {}).get(ENFORCE, "privileged")
    spec = write.object["spec"]
    found = list(_baseline(spec)) if level in ("baseline", "restricted") else []
    if level == "restricted":
        found += _restricted(spec)
    if found:
        raise forbidden("pods", "", write.name, f'violates PodSecurity "{level}:latest": {", ".join(found)}')


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for name in ("initContainers", "containers", "ephemeralContainers") for each in spec.get(name, ())]


def _context(container: dict[str, Any]) -> dict[str, Any]:
    return container.get("securityContext") or {}


def _baseline(spec: dict[str, Any]) -> Iterator[str]:
    shared = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if shared:
        yield f"host namespaces ({', '.join(f'{name}=true' for name in shared)})"
    if any("hostPath" in each for each in spec.get("volumes", ())):
        yield "hostPath volumes"
    for container in _containers(spec):
        name, context = container["name"], _context(container)
        if context.get("privileged"):
            yield f'privileged (container "{name}" must not set securityContext.privileged=true)'
        if any(port.get("hostPort") for port in container.get("ports", ())):
            yield f'hostPort (container "{name}" uses a hostPort)'
        added = set((context.get("capabilities") or {}).get("add", ()))
        if added - _BASELINE_CAPABILITIES:
            yield f'non-default capabilities (container "{name}" must not add {sorted(added - _BASELINE_CAPABILITIES)})'
        if context.get("procMount", "Default") != "Default":
            yield f'procMount (container "{name}")'


def _restricted(spec: dict[str, Any]) -> Iterator[str]:
    pod = spec.get("securityContext") or {}
    for volume in spec.get("volumes", ()):
        if not set(volume) - {"name"} <= _RESTRICTED_VOLUMES:
            yield f'restricted volume types (volume "{volume["name"]}")'
    for container in _containers(spec):
        name, context = container["name"], _context(container)
        capabilities = context.get("capabilities") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            yield f'allowPrivilegeEscalation != false (container "{name}")'
        if "ALL" not in capabilities.get("drop", ()) or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
            yield f'unrestricted capabilities (container "{name}" must set securityContext.capabilities.drop=["ALL"])'
        if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
            yield f'runAsNonRoot != true (container "{name}")'
        if context.get("runAsUser", pod.get("runAsUser")) == 0:
            yield f'runAsUser=0 (container "{name}")'
        profile = context.get("seccompProfile") or pod.get("seccompProfile") or {}
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield f'seccompProfile (container "{name}" must set seccompProfile.type to "RuntimeDefault")'
