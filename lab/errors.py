"""What can go wrong, in words that the person at the keyboard can act on."""


class LabError(Exception):
    """The lab could not do what it should; the message says why."""
