"""What can stand in the way of a change to a network."""

from platforma.kit.problems import Conflict, Invalid


class InUse(Conflict):
    type = "in-use"
    title = "Something else still uses this"


class NoWayOutside(Conflict):
    type = "no-way-outside"
    title = "No router leads outside from there"


class HasFloatingIp(Conflict):
    type = "has-floating-ip"
    title = "A floating IP leads there already"


class LeadsNowhere(Conflict):
    type = "floating-ip-not-attached"
    title = "The floating IP leads nowhere"


class AddressTaken(Conflict):
    type = "address-taken"
    title = "Something else has this address"


class IsThere(Conflict):
    type = "on-this-network"
    title = "The server is on this network already"


class NoAddresses(Conflict):
    type = "network-without-subnet"
    title = "The network has no addresses to give"


class NoDefaultGroup(Conflict):
    type = "no-default-security-group"
    title = "There is no default security group yet"


class OutsideSubnets(Invalid):
    type = "outside-subnets"
    title = "The address is in none of the network's subnets"


class Overlap(Conflict):
    type = "address-overlap"
    title = "Address ranges overlap"


class DefaultGroup(Conflict):
    type = "default-security-group"
    title = "The default security group stays"


class RuleExists(Conflict):
    type = "rule-exists"
    title = "The security group has this rule already"
