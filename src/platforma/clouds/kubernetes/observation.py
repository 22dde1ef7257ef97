"""What is in a cluster, beside what should be there.

Manifests write out every field that the API server would fill in, so that what is there can be compared as it is. Of
labels and annotations those count that have a meaning here; members and controllers may add others.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from platforma.clouds.kubernetes.labels import DOMAIN, TENANT
from platforma.clouds.kubernetes.quantities import quantity

Manifest = dict[str, Any]

_CONTENT = ("spec", "rules", "roleRef", "subjects", "data", "automountServiceAccountToken")
_MEANINGFUL = (f"{DOMAIN}/", "pod-security.kubernetes.io/")
_QUANTITIES = frozenset({"hard", "default", "defaultRequest", "limits", "requests"})


def differs(wanted: Manifest, found: Manifest) -> bool:
    """Say whether an object is not as it is wanted."""
    if any(_pruned(wanted.get(part)) != _pruned(found.get(part)) for part in _CONTENT if part in wanted):
        return True
    return any(_meaningful(wanted, section) != _meaningful(found, section) for section in ("labels", "annotations"))


def replacement(wanted: Manifest, found: Manifest) -> Manifest:
    """Return an object to put in the place of one that differs: without what others have added that counts."""
    metadata: Manifest = {
        "name": found["metadata"]["name"],
        "resourceVersion": found["metadata"]["resourceVersion"],
    }
    if "namespace" in found["metadata"]:
        metadata["namespace"] = found["metadata"]["namespace"]
    for section in ("labels", "annotations"):
        others = {key: value for key, value in _section(found, section).items() if not key.startswith(_MEANINGFUL)}
        metadata[section] = others | _section(wanted, section)
    kept = {name: value for name, value in found.items() if name not in ("metadata", "status")}
    return kept | wanted | {"metadata": metadata}


def opens_beyond(policy: Manifest, tenant_id: str) -> bool:
    """Say whether a network policy lets traffic to or from anything but the tenant's own pods.

    The same rule as `admission.NETWORK_POLICIES`, for policies that came to be there without it.
    """
    spec = policy.get("spec") or {}
    rules = [(rule, "from") for rule in spec.get("ingress") or ()] + [(rule, "to") for rule in spec.get("egress") or ()]
    return not all(
        rule.get(side) and all(_is_own_peer(peer, tenant_id) for peer in rule.get(side) or ()) for rule, side in rules
    )


def _is_own_peer(peer: Mapping[str, Any], tenant_id: str) -> bool:
    if "ipBlock" in peer or not ("podSelector" in peer or "namespaceSelector" in peer):
        return False
    selector = peer.get("namespaceSelector")
    return selector is None or _selects_own(selector, tenant_id)


def _selects_own(selector: Mapping[str, Any], tenant_id: str) -> bool:
    if (selector.get("matchLabels") or {}).get(TENANT) == tenant_id:
        return True
    return any(
        each["key"] == TENANT and each["operator"] == "In" and set(each.get("values") or ()) == {tenant_id}
        for each in selector.get("matchExpressions") or ()
    )


def named(objects: Iterable[Manifest]) -> dict[str, Manifest]:
    """Return objects by their names."""
    return {str(each["metadata"]["name"]): each for each in objects}


def title(manifest: Manifest) -> str:
    """Return what an object is called in a sentence."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _section(manifest: Manifest, section: str) -> dict[str, str]:
    return dict((manifest.get("metadata") or {}).get(section) or {})


def _meaningful(manifest: Manifest, section: str) -> dict[str, str]:
    return {key: value for key, value in _section(manifest, section).items() if key.startswith(_MEANINGFUL)}


def _pruned(value: Any, *, is_quantities: bool = False) -> Any:
    """Return a value without what is empty, which an SDK leaves out or not, and with quantities as numbers."""
    if isinstance(value, dict):
        return {
            name: _pruned(each, is_quantities=name in _QUANTITIES or (is_quantities and not isinstance(each, dict)))
            for name, each in value.items()
            if each is not None and each != []
        }
    if isinstance(value, list):
        return [_pruned(each) for each in value]
    return quantity(str(value)) if is_quantities and isinstance(value, str | int) else value
