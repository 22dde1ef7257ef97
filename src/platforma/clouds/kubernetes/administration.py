"""The administrator's acts in a cluster: installing what all tenants need, and examining it."""

import re
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

from platforma.clouds.errors import CloudAnswerInvalid, CloudNotFound, CloudUnavailable
from platforma.clouds.findings import Finding
from platforma.clouds.kubernetes import canaries
from platforma.clouds.kubernetes.admission import POLICIES, admission_manifests
from platforma.clouds.kubernetes.api import ADMISSION, CORE, NETWORKING, Api, Manifest
from platforma.clouds.kubernetes.credentials import ClusterCredential
from platforma.clouds.kubernetes.labels import SYSTEM_NAMESPACE, TENANT, WORKER
from platforma.clouds.kubernetes.manifests import profile_map
from platforma.clouds.kubernetes.observation import differs, replacement
from platforma.clouds.kubernetes.packets import Patience, remove_leftovers, try_network
from platforma.clouds.kubernetes.resources import (
    SHORTEST_LIFETIME_SECONDS,
    ClusterAddresses,
    ClusterOptions,
    ClusterProfile,
    Examination,
    FoundNamespace,
    NetworkVerdict,
)
from platforma.clouds.kubernetes.roles import cluster_manifests, worker_account
from platforma.clouds.kubernetes.tenant import found_namespace, read_time

OLDEST_VERSION = (1, 30)
BITING_SECONDS = 60.0
"""How long a cluster may take until new admission policies are in force."""
_SIMULATED = "simulated"
_STAND_IN = "devcloud"
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_POLICY = "ValidatingAdmissionPolicy"


class KubernetesAdministration:
    """See ClusterAdministration. `open_api` opens the cluster with another credential."""

    def __init__(
        self,
        api: Api,
        open_api: Callable[[ClusterCredential], Api],
        *,
        biting_seconds: float = BITING_SECONDS,
        patience: Patience | None = None,
    ) -> None:
        self._api = api
        self._open_api = open_api
        self._biting_seconds = biting_seconds
        self._patience = patience or Patience()

    def install(self, options: ClusterOptions) -> bool:
        """See ClusterAdministration."""
        profile = ClusterProfile(self._addresses(), options)
        wanted = [*cluster_manifests(), *admission_manifests(), profile_map(profile)]
        written = [self._have(manifest) for manifest in wanted]
        deadline = time.monotonic() + self._biting_seconds
        while self._silent():
            if time.monotonic() > deadline:
                raise CloudUnavailable
            time.sleep(self._patience.poll_seconds)
        return any(written)

    def examine(self, options: ClusterOptions) -> Examination:
        """See ClusterAdministration."""
        version = self._api.version()
        findings = [_version_finding(version)]
        verdict = NetworkVerdict.UNPROVEN
        if findings[0].is_good:
            findings += self._examine_admission()
            verdict, how = self._try_network(version, options)
            findings.append(_network_finding(verdict, how))
        return Examination(
            version=version,
            is_simulated=_STAND_IN in version,
            network=verdict,
            addresses=self._addresses(),
            findings=tuple(findings),
        )

    def issue_worker_credential(self, *, lifetime_seconds: int) -> ClusterCredential:
        """See ClusterAdministration."""
        token, expires_at = self._api.request_token(SYSTEM_NAMESPACE, WORKER, seconds=lifetime_seconds)
        own = self._api.credential
        return ClusterCredential(
            server=own.server,
            certificate_authority=own.certificate_authority,
            tls_server_name=own.tls_server_name,
            token=token,
            expires_at=read_time(expires_at),
        )

    def revoke_worker_credentials(self) -> None:
        """See ClusterAdministration. Tokens end with the account that they are of: a new one has another uid."""
        self._api.delete(worker_account())

    def list_namespaces(self) -> list[FoundNamespace]:
        """See ClusterAdministration."""
        found = self._api.list_objects(CORE, "Namespace", labels={TENANT: None})
        return [each for each in map(found_namespace, found) if each.namespace_id is not None]

    def _have(self, manifest: Manifest) -> bool:
        metadata = manifest["metadata"]
        found = self._api.find(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))
        if found is not None and not differs(manifest, found):
            return False
        if found is not None and found.get("roleRef") != manifest.get("roleRef"):
            self._api.delete(found)
        applied = self._api.apply(manifest)
        if found is not None and differs(manifest, applied):
            self._api.replace(replacement(manifest, applied))
        return True

    def _silent(self) -> list[str]:
        def open_worker() -> Api:
            return self._open_api(self.issue_worker_credential(lifetime_seconds=SHORTEST_LIFETIME_SECONDS))

        return canaries.find_silent(self._api, open_worker)

    def _examine_admission(self) -> Iterator[Finding]:
        """Yield findings about admission: types, what the policies refuse, and Pod Security."""
        errors = []
        for policy in POLICIES:
            found = self._api.find(ADMISSION, _POLICY, policy.name)
            status = (found or {}).get("status") or {}
            warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or ()
            errors += [f"{policy.name}, {each['fieldRef']}: {each['warning'][:200]}" for each in warnings]
        yield Finding(
            "admission types",
            not errors,
            "The admission policies are free of type errors."
            if not errors
            else f"The cluster reports type errors in admission policies: {'; '.join(errors)[:1000]}",
        )
        silent = self._silent()
        yield Finding(
            "admission",
            not silent,
            "Every admission policy refuses what it has to."
            if not silent
            else f"Admission policies let through what they must refuse: {', '.join(silent)}.",
        )
        has_hole = canaries.find_pod_security_hole(self._api)
        yield Finding(
            "pod security",
            not has_hole,
            "Pod Security holds pods to `restricted`."
            if not has_hole
            else "Pod Security admission is off: a pod that runs as root was let into a restricted namespace.",
        )

    def _try_network(self, version: str, options: ClusterOptions) -> tuple[NetworkVerdict, str]:
        remove_leftovers(self._api)
        verdict, how = try_network(self._api, options.probe_image, self._patience)
        if verdict is NetworkVerdict.ENFORCED and _SIMULATED in version:
            return NetworkVerdict.SIMULATED, "A stand-in says that policies hold; no packet was sent."
        return verdict, how

    def _addresses(self) -> ClusterAddresses:
        """Return the address ranges that nodes, pods and services have, as far as the cluster tells."""
        nodes = self._api.list_objects(CORE, "Node")
        pods = {cidr for node in nodes for cidr in (node.get("spec") or {}).get("podCIDRs") or ()}
        own = {
            each["address"]
            for node in nodes
            for each in (node.get("status") or {}).get("addresses") or ()
            if each["type"] in ("InternalIP", "ExternalIP")
        }
        try:
            services = {
                cidr
                for each in self._api.list_objects(NETWORKING, "ServiceCIDR")
                for cidr in (each.get("spec") or {}).get("cidrs") or ()
            }
        except CloudNotFound:
            services = set()  # older than 1.33: the address of the API's own service is all there is to know
        service = self._api.find(CORE, "Service", "kubernetes", "default")
        services |= set(((service or {}).get("spec") or {}).get("clusterIPs") or ()) if not services else set()
        try:
            return ClusterAddresses(
                pods=tuple(sorted(str(ip_network(each)) for each in pods)),
                services=tuple(sorted(str(ip_network(each)) for each in services)),
                nodes=tuple(sorted(str(ip_network(ip_address(each))) for each in own)),
            )
        except ValueError as error:
            raise CloudAnswerInvalid from error


def _version_finding(version: str) -> Finding:
    found = _VERSION.match(version)
    oldest = ".".join(map(str, OLDEST_VERSION))
    if found is None:
        return Finding("version", False, f"The cluster's version cannot be read; Platforma needs {oldest} or newer.")
    is_good = (int(found[1]), int(found[2])) >= OLDEST_VERSION
    need = "" if is_good else f" Platforma needs {oldest} or newer: older ones lack admission policies."
    return Finding("version", is_good, f"The cluster is {version[:60]}.{need}")


def _network_finding(verdict: NetworkVerdict, how: str) -> Finding:
    match verdict:
        case NetworkVerdict.ENFORCED | NetworkVerdict.SIMULATED:
            return Finding("network policies", True, how)
        case NetworkVerdict.NOT_ENFORCED:
            words = "The network plugin does not enforce network policies"
        case NetworkVerdict.UNPROVEN:
            words = "It could not be proven that the network plugin enforces network policies"
    return Finding("network policies", False, f"{words}: {how}")
