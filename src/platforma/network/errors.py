"""What can stand in the way of a change to a network."""

from platforma.kit.problems import Conflict


class InUse(Conflict):
    type = "in-use"
    title = "Something else still uses this"


class Overlap(Conflict):
    type = "address-overlap"
    title = "Address ranges overlap"


class DefaultGroup(Conflict):
    type = "default-security-group"
    title = "The default security group stays"


class RuleExists(Conflict):
    type = "rule-exists"
    title = "The security group has this rule already"
