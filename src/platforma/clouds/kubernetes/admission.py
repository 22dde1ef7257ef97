"""Admission policies: what nobody may write into a tenant's namespace, whatever roles he has.

Each is a ValidatingAdmissionPolicy in CEL with a binding. They hold everybody, administrators too; exempt are, where it
has to be, the tenants' worker and Kubernetes' own controllers (without which namespaces would no longer end). They rest
on the tenant's label of a namespace, which only the worker can write. The expressions keep to what every
implementation of CEL has, so that tests can run them outside of a cluster.

Docs: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from dataclasses import dataclass, field
from typing import Any

from platforma.clouds.kubernetes.labels import (
    ACCESS_NAMESPACE,
    CANARY_NAMESPACE,
    HOSTS,
    LOAD_BALANCERS,
    MANAGED,
    NAME_PREFIX,
    NAMESPACE,
    PROBE_PREFIX,
    SYSTEM_NAMESPACE,
    TENANT,
    worker_username,
)
from platforma.clouds.kubernetes.roles import WRITABLE

Manifest = dict[str, Any]

API_VERSION = "admissionregistration.k8s.io/v1"

_IS_WORKER = f"request.userInfo.username == '{worker_username()}'"
_IS_CONTROL_PLANE = (
    "request.userInfo.username.startsWith('system:serviceaccount:kube-system:') || "
    "request.userInfo.username == 'system:kube-controller-manager'"
)
_IS_BINDER = (
    "request.userInfo.username == 'system:serviceaccount:kube-system:persistent-volume-binder' || "
    "request.userInfo.username == 'system:kube-controller-manager'"
)
_BY_MEMBER = {
    "name": "by-a-member",
    "expression": f"request.userInfo.username.startsWith('system:serviceaccount:{ACCESS_NAMESPACE}:')",
}
_NOT_WORKER = {"name": "not-the-worker", "expression": f"!({_IS_WORKER})"}
_NOT_CONTROL_PLANE = {"name": "not-the-control-plane", "expression": f"!({_IS_CONTROL_PLANE})"}
_NAME = "(object != null ? object.metadata.name : oldObject.metadata.name)"
_OPERATIONS = ("CREATE", "UPDATE")
_ANNOTATION_PREFIXES = ("app.kubernetes.io/", "helm.sh/", "kubectl.kubernetes.io/", "meta.helm.sh/")
"""Annotations of tools that only describe. Others may command a controller that serves all tenants."""


@dataclass(frozen=True)
class Rule:
    """An expression that must be true, and what to say if it is not."""

    expression: str
    message: str


@dataclass(frozen=True)
class Policy:
    """A policy for some resources, given as `group/plural` (`/pods` of the core group).

    `exempt` are conditions under which it holds; `in_tenants` confines it to namespaces that bear a tenant's label.
    """

    name: str
    resources: tuple[str, ...]
    rules: tuple[Rule, ...]
    operations: tuple[str, ...] = _OPERATIONS
    conditions: tuple[dict[str, str], ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    in_tenants: bool = True
    version: str = "v1"

    def manifests(self) -> list[Manifest]:
        """Return the policy and its binding."""
        constraints: Manifest = {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": [self._resource_rule(each) for each in self.resources],
        }
        if self.in_tenants:
            constraints["namespaceSelector"] = {"matchExpressions": [{"key": TENANT, "operator": "Exists"}]}
        spec: Manifest = {
            "failurePolicy": "Fail",
            "matchConstraints": constraints,
            "validations": [
                {"expression": rule.expression, "message": rule.message, "reason": "Forbidden"} for rule in self.rules
            ],
        }
        if self.conditions:
            spec["matchConditions"] = list(self.conditions)
        if self.variables:
            spec["variables"] = [{"name": name, "expression": text} for name, text in self.variables.items()]
        return [
            _object("ValidatingAdmissionPolicy", self.name, spec),
            _object(
                "ValidatingAdmissionPolicyBinding",
                self.name,
                {"policyName": self.name, "validationActions": ["Deny"]},
            ),
        ]

    def _resource_rule(self, resource: str) -> Manifest:
        group, _, plural = resource.partition("/")
        return {
            "apiGroups": [group],
            "apiVersions": [self.version],
            "operations": list(self.operations),
            "resources": [plural],
            "scope": "*",
        }


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "labels": {MANAGED: "true"}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def admission_manifests() -> list[Manifest]:
    """Return every policy with its binding."""
    return [manifest for policy in POLICIES for manifest in policy.manifests()]


def _label(holder: str, label: str) -> str:
    """Return whether an object that may be null bears a label."""
    return f"({holder} != null && has({holder}.metadata.labels) && '{label}' in {holder}.metadata.labels)"


_SELECTS_OWN = (
    f"((has(peer.namespaceSelector.matchLabels) && '{TENANT}' in peer.namespaceSelector.matchLabels && "
    f"peer.namespaceSelector.matchLabels['{TENANT}'] == variables.tenant) || "
    "(has(peer.namespaceSelector.matchExpressions) && peer.namespaceSelector.matchExpressions.exists(each, "
    f"each.key == '{TENANT}' && each.operator == 'In' && has(each.values) && size(each.values) > 0 && "
    "each.values.all(value, value == variables.tenant))))"
)
"""A namespace selector's requirements must all hold, so that one that names the tenant is enough."""


def _peers_are_own(direction: str, side: str) -> str:
    """Return whether every rule of a direction names peers, and each is in a namespace of the policy's tenant."""
    return (
        f"!has(object.spec.{direction}) || object.spec.{direction}.all(rule, "
        f"has(rule.{side}) && size(rule.{side}) > 0 && rule.{side}.all(peer, !has(peer.ipBlock) && "
        "(has(peer.podSelector) || has(peer.namespaceSelector)) && "
        f"(!has(peer.namespaceSelector) || {_SELECTS_OWN})))"
    )


_TENANT_VARIABLE = {"tenant": f"namespaceObject.metadata.labels['{TENANT}']"}

NETWORK_POLICIES = Policy(
    name="platforma-network-policies",
    resources=("networking.k8s.io/networkpolicies",),
    conditions=(_NOT_WORKER,),
    variables=_TENANT_VARIABLE,
    rules=(
        Rule(
            _peers_are_own("ingress", "from"),
            "A network policy may let in traffic only from pods of the same namespace, or from namespaces that are "
            f"chosen by the label {TENANT} with this namespace's value. Address blocks and rules without peers "
            "are not allowed.",
        ),
        Rule(
            _peers_are_own("egress", "to"),
            "A network policy may let out traffic only to pods of the same namespace, or to namespaces that are "
            f"chosen by the label {TENANT} with this namespace's value. DNS and the internet are open already.",
        ),
    ),
)

MANAGED_OBJECTS = Policy(
    name="platforma-managed",
    resources=("networking.k8s.io/networkpolicies", "/serviceaccounts"),
    operations=("CREATE", "UPDATE", "DELETE"),
    conditions=(_NOT_WORKER, _NOT_CONTROL_PLANE),
    rules=(
        Rule(
            f"!{_label('object', MANAGED)} && !{_label('oldObject', MANAGED)}",
            f"What bears the label {MANAGED} is kept by Platforma, and cannot be changed here.",
        ),
    ),
)

RESERVED_KINDS = Policy(
    name="platforma-reserved",
    resources=(
        "/resourcequotas",
        "/limitranges",
        "/endpoints",
        "discovery.k8s.io/endpointslices",
        "rbac.authorization.k8s.io/roles",
        "rbac.authorization.k8s.io/rolebindings",
    ),
    operations=("CREATE", "UPDATE", "DELETE"),
    conditions=(_NOT_WORKER, _NOT_CONTROL_PLANE),
    rules=(Rule("false", "Quotas, limits, endpoints, roles and their bindings are kept by Platforma alone."),),
)


def _annotations_describe() -> str:
    allowed = " || ".join(f"key.startsWith('{prefix}')" for prefix in _ANNOTATION_PREFIXES)
    return f"!has(object.metadata.annotations) || object.metadata.annotations.all(key, !key.contains('/') || {allowed})"


_ANNOTATIONS = Rule(
    _annotations_describe(),
    "Annotations that command a controller are not allowed here, for it serves other tenants too.",
)

SERVICES = Policy(
    name="platforma-services",
    resources=("/services",),
    variables={
        "has_load_balancers": (
            f"has(namespaceObject.metadata.annotations) && '{LOAD_BALANCERS}' in namespaceObject.metadata.annotations "
            f"&& namespaceObject.metadata.annotations['{LOAD_BALANCERS}'] != '0'"
        )
    },
    rules=(
        Rule(
            "!has(object.spec.type) || object.spec.type == 'ClusterIP' || "
            "(object.spec.type == 'LoadBalancer' && variables.has_load_balancers)",
            "A service may be of type ClusterIP, or LoadBalancer where the quota has some.",
        ),
        Rule(
            "!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0",
            "A service may not claim external addresses.",
        ),
        Rule("!has(object.spec.externalName)", "A service may not be another name for something else."),
        Rule("!has(object.spec.loadBalancerIP)", "A service may not choose the address of its load balancer."),
        Rule(
            "!has(object.spec.type) || object.spec.type != 'LoadBalancer' || "
            "(has(object.spec.allocateLoadBalancerNodePorts) && !object.spec.allocateLoadBalancerNodePorts)",
            "A load balancer must not open ports on nodes: set allocateLoadBalancerNodePorts to false.",
        ),
        _ANNOTATIONS,
    ),
)

INGRESSES = Policy(
    name="platforma-ingresses",
    resources=("networking.k8s.io/ingresses",),
    variables={
        "hosts": (
            f"has(namespaceObject.metadata.annotations) && '{HOSTS}' in namespaceObject.metadata.annotations ? "
            f"namespaceObject.metadata.annotations['{HOSTS}'] : '^$'"
        )
    },
    rules=(
        Rule("!has(object.spec.defaultBackend)", "An ingress must name its hosts: it may not have a default backend."),
        Rule(
            "has(object.spec.rules) && size(object.spec.rules) > 0 && object.spec.rules.all(rule, "
            "has(rule.host) && size(rule.host) > 0 && rule.host.matches(variables.hosts))",
            "Every rule of an ingress must have a host that belongs to the tenant.",
        ),
        Rule(
            "!has(object.spec.tls) || object.spec.tls.all(each, has(each.hosts) && size(each.hosts) > 0 && "
            "each.hosts.all(host, host.matches(variables.hosts)))",
            "The certificates of an ingress must be for hosts that belong to the tenant.",
        ),
        Rule(
            "!has(object.spec.rules) || object.spec.rules.all(rule, !has(rule.http) || "
            "rule.http.paths.all(path, has(path.backend.service)))",
            "An ingress may lead to services only.",
        ),
        _ANNOTATIONS,
    ),
)

_EVERY_CONTAINER = ("containers", "initContainers")


def _containers(test: str) -> str:
    """Return whether something holds for every container of a pod."""
    return " && ".join(
        f"(!has(object.spec.{name}) || object.spec.{name}.all(container, {test}))" for name in _EVERY_CONTAINER
    )


PODS = Policy(
    name="platforma-pods",
    resources=("/pods",),
    operations=("CREATE",),
    rules=(
        Rule(
            " && ".join(
                f"(!has(object.spec.{name}) || !object.spec.{name})" for name in ("hostNetwork", "hostPID", "hostIPC")
            ),
            "A pod may not share its node's namespaces.",
        ),
        Rule(
            "!has(object.spec.volumes) || object.spec.volumes.all(volume, !has(volume.hostPath) && !has(volume.csi))",
            "A pod may not mount its node's paths, nor volumes that bypass claims.",
        ),
        Rule(
            _containers(
                "!has(container.ports) || container.ports.all(port, !has(port.hostPort) || port.hostPort == 0)"
            ),
            "A pod may not open ports of its node.",
        ),
        Rule(
            _containers(
                "!has(container.securityContext) || ((!has(container.securityContext.privileged) || "
                "!container.securityContext.privileged) && (!has(container.securityContext.capabilities) || "
                "!has(container.securityContext.capabilities.add) || "
                "container.securityContext.capabilities.add.all(each, each == 'NET_BIND_SERVICE')))"
            ),
            "A pod may not be privileged, nor add capabilities.",
        ),
        Rule("!has(object.spec.nodeName)", "A pod may not choose its node by name."),
        Rule(
            "!has(object.spec.priorityClassName) || !object.spec.priorityClassName.startsWith('system-')",
            "A pod may not have a priority of the system's.",
        ),
        Rule(
            "!has(object.spec.tolerations) || object.spec.tolerations.all(each, has(each.key) && size(each.key) > 0 && "
            "!each.key.startsWith('node-role.kubernetes.io/'))",
            "A pod may not tolerate every taint, nor those of the control plane.",
        ),
    ),
)

CLAIMS = Policy(
    name="platforma-claims",
    resources=("/persistentvolumeclaims",),
    rules=(
        Rule(
            "!has(object.spec.volumeName) || (oldObject != null && ((has(oldObject.spec.volumeName) && "
            f"oldObject.spec.volumeName == object.spec.volumeName) || {_IS_BINDER}))",
            "A claim may not choose a volume that is there.",
        ),
        Rule("!has(object.spec.selector)", "A claim may not choose among volumes that are there."),
        Rule(
            "!has(object.spec.dataSourceRef) || !has(object.spec.dataSourceRef.namespace)",
            "A claim may not be filled from another namespace.",
        ),
    ),
)

FINALIZERS = Policy(
    name="platforma-finalizers",
    resources=WRITABLE,
    conditions=(_BY_MEMBER,),
    rules=(
        Rule(
            "!has(object.metadata.finalizers) || object.metadata.finalizers.all(each, "
            "each in ['foregroundDeletion', 'orphan'] || (oldObject != null && has(oldObject.metadata.finalizers) && "
            "each in oldObject.metadata.finalizers))",
            "A finalizer that nobody takes away would keep the namespace for ever.",
        ),
    ),
)

TEMPLATES = Policy(
    name="platforma-templates",
    resources=("apps/daemonsets", "apps/deployments", "apps/statefulsets", "batch/jobs"),
    conditions=(_BY_MEMBER,),
    rules=(
        Rule(
            "!has(object.spec.template.metadata) || !has(object.spec.template.metadata.finalizers)",
            "A finalizer that nobody takes away would keep the namespace for ever.",
        ),
    ),
)

CLAIM_TEMPLATES = Policy(
    name="platforma-claim-templates",
    resources=("apps/statefulsets",),
    conditions=(_BY_MEMBER,),
    rules=(
        Rule(
            "!has(object.spec.volumeClaimTemplates) || object.spec.volumeClaimTemplates.all(claim, "
            "(!has(claim.metadata) || !has(claim.metadata.finalizers)) && (!has(claim.spec) || "
            "(!has(claim.spec.volumeName) && !has(claim.spec.selector) && "
            "(!has(claim.spec.dataSourceRef) || !has(claim.spec.dataSourceRef.namespace)))))",
            "A claim may not choose a volume that is there, be filled from another namespace, or stay for ever.",
        ),
    ),
)

CRON_TEMPLATES = Policy(
    name="platforma-cron-templates",
    resources=("batch/cronjobs",),
    conditions=(_BY_MEMBER,),
    rules=(
        Rule(
            "!has(object.spec.jobTemplate.spec.template.metadata) || "
            "!has(object.spec.jobTemplate.spec.template.metadata.finalizers)",
            "A finalizer that nobody takes away would keep the namespace for ever.",
        ),
    ),
)

SECRETS = Policy(
    name="platforma-secrets",
    resources=("/secrets",),
    conditions=(_NOT_CONTROL_PLANE,),
    rules=(
        Rule(
            "!has(object.type) || (object.type != 'kubernetes.io/service-account-token' && "
            "object.type != 'bootstrap.kubernetes.io/token')",
            "Tokens are handed out by Platforma, so that they end and can be revoked.",
        ),
    ),
)

NAMESPACES = Policy(
    name="platforma-namespaces",
    resources=("/namespaces",),
    operations=("CREATE", "UPDATE", "DELETE"),
    in_tenants=False,
    conditions=(
        _NOT_WORKER,
        _NOT_CONTROL_PLANE,
        {
            "name": "ours",
            "expression": (
                f"{_NAME}.startsWith('{NAME_PREFIX}') || {_label('object', TENANT)} || "
                f"{_label('oldObject', TENANT)} || {_label('object', MANAGED)} || {_label('oldObject', MANAGED)}"
            ),
        },
        {
            "name": "not-of-the-platform",
            "expression": (
                f"!({_NAME} in ['{SYSTEM_NAMESPACE}', '{ACCESS_NAMESPACE}', '{CANARY_NAMESPACE}'] || "
                f"({_NAME}.startsWith('{PROBE_PREFIX}') && !{_label('object', TENANT)}))"
            ),
        },
    ),
    rules=(Rule("false", "Namespaces of tenants are made, labelled and removed by Platforma alone."),),
)

_ENFORCE = "pod-security.kubernetes.io/enforce"

WORKER = Policy(
    name="platforma-worker",
    resources=("*/*/*",),
    version="*",
    operations=("CREATE", "UPDATE", "DELETE", "CONNECT"),
    in_tenants=False,
    conditions=({"name": "the-worker", "expression": _IS_WORKER},),
    rules=(
        Rule(
            "request.resource.resource == 'namespaces' || (namespaceObject != null && "
            f"(namespaceObject.metadata.name == '{ACCESS_NAMESPACE}' || "
            f"(has(namespaceObject.metadata.labels) && '{TENANT}' in namespaceObject.metadata.labels && "
            f"'{NAMESPACE}' in namespaceObject.metadata.labels)))",
            "Platforma's worker may write in namespaces of tenants only.",
        ),
        Rule(
            f"request.resource.resource != 'namespaces' || oldObject == null || ({_label('oldObject', TENANT)} && "
            f"{_label('oldObject', NAMESPACE)} && {_label('oldObject', MANAGED)})",
            "Platforma's worker may not claim a namespace that is no tenant's.",
        ),
        Rule(
            f"request.resource.resource != 'namespaces' || object == null || "
            f"(object.metadata.name.startsWith('{NAME_PREFIX}') && {_label('object', TENANT)} && "
            f"{_label('object', NAMESPACE)} && {_label('object', MANAGED)} && {_label('object', _ENFORCE)} && "
            f"object.metadata.labels['{_ENFORCE}'] == 'restricted' && "
            f"object.metadata.name == '{NAME_PREFIX}' + object.metadata.labels['{NAMESPACE}'])",
            "A namespace of a tenant must be called after its id, and held to the strictest pod security.",
        ),
        Rule(
            f"request.resource.resource != 'namespaces' || !{_label('object', TENANT)} || "
            f"!{_label('oldObject', TENANT)} || "
            f"object.metadata.labels['{TENANT}'] == oldObject.metadata.labels['{TENANT}']",
            "A namespace cannot change its tenant.",
        ),
    ),
)

POLICIES = (
    NETWORK_POLICIES,
    MANAGED_OBJECTS,
    RESERVED_KINDS,
    SERVICES,
    INGRESSES,
    PODS,
    CLAIMS,
    FINALIZERS,
    TEMPLATES,
    CLAIM_TEMPLATES,
    CRON_TEMPLATES,
    SECRETS,
    NAMESPACES,
    WORKER,
)
