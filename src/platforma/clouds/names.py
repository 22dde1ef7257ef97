"""The names that objects of ours bear in clouds: by them they are found again."""

from uuid import UUID

_NAME_PREFIX = "platforma-"


def cloud_name(id_: UUID) -> str:
    """Return the name that the cloud object of our row bears: by it the object is found again."""
    return f"{_NAME_PREFIX}{id_}"


def find_own_id(name: str) -> UUID | None:
    """Return the id of our row if this is a name that `cloud_name` gave, or None."""
    try:
        id_ = UUID(name.removeprefix(_NAME_PREFIX))
    except ValueError:
        return None
    return id_ if name == cloud_name(id_) else None
