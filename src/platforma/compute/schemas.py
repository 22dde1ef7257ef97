"""What the API says and hears about servers, key pairs and the catalogue."""

from datetime import datetime
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from platforma.api.fields import Boolean, Description, Input, Name, Output
from platforma.api.lists import ListQuery, ResourceQuery
from platforma.compute.public_keys import LONGEST_KEY, parse_public_key
from platforma.network.schemas import FixedAddresses, GroupIds
from platforma.operations.schemas import Accepted, ResourceOut

Item = TypeVar("Item")
MOST_INTERFACES = 8


def _distinct(ids: list[UUID]) -> list[UUID]:
    if len(set(ids)) != len(ids):
        raise ValueError("Name each only once.")
    return ids


def _public_key(text: str) -> str:
    return parse_public_key(text).line


class CatalogueQuery(ListQuery):
    """Filters of the catalogue."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")
    name: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="Part of the name, in any case."
    )


class FlavorOut(Output):
    """A size of server."""

    id: UUID
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int


class ImageOut(Output):
    """What a server starts from."""

    id: UUID
    name: str
    minimum_disk_gib: int
    minimum_ram_mib: int


class KeyPairCreate(Input):
    """A public key to put on new servers. Without one a pair is made, and its private half is answered once."""

    name: Name
    description: Description = ""
    public_key: Annotated[str, StringConstraints(max_length=LONGEST_KEY), AfterValidator(_public_key)] | None = Field(
        default=None, description="One line in OpenSSH's format: Ed25519, ECDSA, or RSA of 2048 bits or more."
    )


class KeyPairOut(ResourceOut):
    """A public key."""

    public_key: str
    fingerprint: str = Field(description="As `ssh-keygen -l` prints it.")


class KeyPairAccepted(Accepted[KeyPairOut]):
    """A new key pair."""

    private_key: str | None = Field(
        description="In OpenSSH's format, if the pair was made here. It is kept nowhere, and seen only now."
    )


class ServerCreate(Input):
    """A server. Without security groups it gets the default one."""

    name: Name
    description: Description = ""
    flavor_id: UUID
    image_id: UUID
    key_pair_id: UUID | None = None
    network_ids: Annotated[list[UUID], AfterValidator(_distinct)] = Field(min_length=1, max_length=MOST_INTERFACES)
    fixed_addresses: FixedAddresses = Field(default_factory=list)
    security_group_ids: GroupIds | None = None


class ServerChange(Input):
    """A new name or description, or other security groups on the ports that have none of their own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend"}]})

    name: Name = Field(default=None)  # type: ignore[assignment]
    description: Description = Field(default=None)  # type: ignore[assignment]
    security_group_ids: GroupIds = Field(default=None)  # type: ignore[arg-type]


class RebootRequest(Input):
    """How to reboot: by asking the operating system, or `hard`, as if by pulling the plug."""

    hard: Boolean = False


class ServerQuery(ResourceQuery):
    """Filters of the list of servers."""

    network_id: UUID | None = None
    flavor_id: UUID | None = None
    power_state: Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\x00]*$")] | None = None


class NamedOut(Output):
    """Something, by its id and name."""

    id: UUID
    name: str


class ServerNetworkOut(NamedOut):
    """A network that a server is on, its port there, and its addresses."""

    port_id: UUID
    addresses: list[str]


class ServerVolumeOut(NamedOut):
    """A volume at a server."""

    size_gib: int
    device: str | None
    status: str


class ServerOut(ResourceOut):
    """A server."""

    flavor: FlavorOut
    image: NamedOut
    key_pair: NamedOut | None
    desired_power: Literal["running", "stopped"]
    power_state: str | None = Field(description="As last seen in the cloud; null until the server has been made.")
    networks: list[ServerNetworkOut]
    security_groups: list[NamedOut]
    volumes: list[ServerVolumeOut]


class ConsoleOutput(Output):
    """What the server last wrote to its console, as far as it has been fetched."""

    output: str | None
    fetched_at: datetime | None
