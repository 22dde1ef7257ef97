"""What can go wrong, in words that the person at the keyboard can act on."""


class DevcloudError(Exception):
    """The development cloud could not do what was asked; the message says why and what to do."""


class InstallError(DevcloudError):
    """The services' virtual environment could not be made."""


class StartError(DevcloudError):
    """A service died, or was not ready before the deadline; the message ends with its log."""
