"""What can stand in the way of a change on Kubernetes."""

from platforma.kit.problems import Conflict, Invalid


class NoCluster(Conflict):
    type = "no-cluster"
    title = "There is no cluster for this"


class ClusterNotReady(Conflict):
    type = "cluster-not-ready"
    title = "The cluster is not ready"


class NamespaceExists(Conflict):
    type = "namespace-exists"
    title = "You have a namespace of this name"


class NamespaceNotMade(Conflict):
    type = "not-made-yet"
    title = "It is not ready for this"


class OpeningExists(Conflict):
    type = "opening-exists"
    title = "This is open already"


class OtherCluster(Invalid):
    type = "other-cluster"
    title = "The namespaces are in different clusters"


class SameNamespace(Invalid):
    type = "same-namespace"
    title = "Within a namespace everything is open"


class NotIssued(Conflict):
    type = "kubeconfig-not-issued"
    title = "It has not been issued yet"


class Collected(Conflict):
    type = "kubeconfig-collected"
    title = "It has been collected already"


class WrongKey(Invalid):
    type = "wrong-key"
    title = "The key does not open it"
