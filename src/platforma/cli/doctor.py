"""`platforma doctor`."""


def doctor() -> None:
    """Check the installation."""
