"""The labels and names by which Platforma knows what is its own in a cluster, and whose it is."""

from uuid import UUID

DOMAIN = "platforma.internal"
FIELD_MANAGER = "platforma"

TENANT = f"{DOMAIN}/tenant"
"""On a namespace: whose it is. Network policies choose their peers by it, so nobody but Platforma may write it."""
NAMESPACE = f"{DOMAIN}/namespace"
"""On a namespace: our own id of it."""
MANAGED = f"{DOMAIN}/managed"
"""On each namespace of a tenant, and on all that Platforma keeps in it: nobody else may touch what bears it."""
KUBECONFIG = f"{DOMAIN}/kubeconfig"
"""On the service account and the role bindings of a kubeconfig: its id."""
DISPLAY_NAME = f"{DOMAIN}/name"
"""An annotation: the member's own word for a namespace."""
HOSTS = f"{DOMAIN}/hosts"
"""An annotation of a namespace: what hosts of an Ingress in it must match, as a regular expression."""
LOAD_BALANCERS = f"{DOMAIN}/load-balancers"
"""An annotation of a namespace: how many services of type LoadBalancer there may be in it."""
PROBE = f"{DOMAIN}/probe"
"""On the namespaces in which an examination tries the network."""

SYSTEM_NAMESPACE = "platforma-system"
"""Has the worker's service account, and what it has to know of the cluster."""
ACCESS_NAMESPACE = "platforma-access"
"""Has the service accounts of kubeconfigs. No pod runs there, so that none can borrow one."""
CANARY_NAMESPACE = "platforma-canary"
"""Bears a tenant's label and has nothing in it: here it is tried whether the admission policies bite."""
WORKER = "platforma-worker"
"""The worker's service account, and a cluster role: what it may do before a namespace is there."""
WORKER_IN_NAMESPACE = "platforma-worker-namespace"
"""A cluster role: what the worker may do in each tenant's namespace."""
PROFILE = "platforma-profile"
TENANT_ROLE = "platforma-tenant"
"""A cluster role: what a kubeconfig may do in each namespace of its tenant."""

NAME_PREFIX = "platforma-"
PROBE_PREFIX = "platforma-probe-"


def worker_username() -> str:
    """Return who the tenants' worker is to the cluster."""
    return f"system:serviceaccount:{SYSTEM_NAMESPACE}:{WORKER}"


def access_username(kubeconfig_id: UUID) -> str:
    """Return who the bearer of a kubeconfig is to the cluster."""
    return f"system:serviceaccount:{ACCESS_NAMESPACE}:{access_name(kubeconfig_id)}"


def access_name(kubeconfig_id: UUID) -> str:
    """Return the name of a kubeconfig's service account, and of its role bindings."""
    return f"{NAME_PREFIX}{kubeconfig_id}"
