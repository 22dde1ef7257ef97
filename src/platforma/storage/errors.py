"""What can stand in the way of a change to a volume."""

from platforma.kit.problems import Conflict, Invalid


class VolumeNotMade(Conflict):
    type = "not-made-yet"
    title = "It is not ready for this"


class Attached(Conflict):
    type = "volume-attached"
    title = "The volume is attached"


class NotAttached(Conflict):
    type = "volume-not-attached"
    title = "The volume is not attached"


class BeingCopied(Conflict):
    type = "being-copied"
    title = "It is being copied"


class TooSmall(Invalid):
    type = "volume-cannot-shrink"
    title = "A volume only grows"
