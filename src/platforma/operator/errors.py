"""What can stand in the way of an operator besides what `tenants.errors` names."""

from platforma.kit.problems import Conflict, NotFound


class OperatorExists(Conflict):
    type = "operator-exists"
    title = "There is an operator with this e-mail already"


class UnknownDomain(NotFound):
    type = "unknown-domain"
    title = "The portal has no such domain"


class NoBrandFile(NotFound):
    type = "no-brand-file"
    title = "The portal has no such picture"


class HostTaken(Conflict):
    type = "host-taken"
    title = "The host leads somewhere already"


class NotProven(Conflict):
    type = "not-proven"
    title = "The domain is not proven yet"


class CanonicalDomain(Conflict):
    type = "canonical-domain"
    title = "Links are made with this domain"


class NoDomain(Conflict):
    type = "no-domain"
    title = "The portal has no domain"


class NameNotConfirmed(Conflict):
    type = "name-not-confirmed"
    title = "This is not the tenant's name"


class UnknownCluster(NotFound):
    type = "unknown-cluster"
    title = "There is no such cluster"


class ClusterInUse(Conflict):
    type = "cluster-in-use"
    title = "Tenants still use the cluster"


class NoSealingKey(Conflict):
    type = "no-sealing-key"
    title = "No provisioner has been started yet"
