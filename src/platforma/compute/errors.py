"""What can stand in the way of a change to a server or a key pair."""

from platforma.kit.problems import Conflict, Invalid


class NotMade(Conflict):
    type = "not-made-yet"
    title = "It is not ready for this"


class FlavorTooSmall(Invalid):
    type = "flavor-too-small"
    title = "The image needs a larger flavour"


class NotRunning(Conflict):
    type = "server-not-running"
    title = "The server does not run"
