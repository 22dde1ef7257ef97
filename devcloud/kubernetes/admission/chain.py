"""The plugins, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from devcloud.kubernetes.admission.lifecycle import check_lifecycle, prepare_pod
from devcloud.kubernetes.admission.limits import apply_limits
from devcloud.kubernetes.admission.pod_security import check_pod_security
from devcloud.kubernetes.admission.policies import Policies
from devcloud.kubernetes.admission.quota import check_quota
from devcloud.kubernetes.admission.write import Write
from devcloud.kubernetes.store import Store


class Admission:
    """Admits writes, or refuses them with an ApiProblem."""

    def __init__(self, store: Store, policies: Policies) -> None:
        self.policies = policies
        plugins: list[Callable[[Store, Write], None]] = [
            check_lifecycle,
            apply_limits,
            prepare_pod,
            check_pod_security,
            policies.check,
            check_quota,
        ]
        self._plugins = plugins
        self._store = store

    def admit(self, write: Write) -> None:
        """Return if the write may be done; its object may be another then. Raises ApiProblem."""
        for plugin in self._plugins:
            plugin(self._store, write)
