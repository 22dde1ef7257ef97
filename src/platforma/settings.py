"""Settings, from the environment (`PLATFORMA_...`, sections divided by `__`) or a file named by `PLATFORMA_SETTINGS`.

Each process gets only what it needs: a portal process has neither the credential keys nor an administrator's
password of any cloud, and no process but `platforma migrate` has the owner's database URL.
"""

import os
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class SettingsError(Exception):
    """A setting is missing or wrong."""


class _Section(BaseModel, extra="forbid", frozen=True):
    pass


class DatabaseSettings(_Section):
    """One URL per role; a process has the URL of its own role."""

    administrator: SecretStr | None = None
    owner: SecretStr | None = None
    portal: SecretStr | None = None
    worker: SecretStr | None = None
    provisioner: SecretStr | None = None
    operator: SecretStr | None = None
    pool_size: int = Field(default=10, ge=1, le=200)
    """Connections that a process keeps open; as many again may be opened for a burst."""


class SessionSettings(_Section):
    """How long a sign-in lasts, in seconds."""

    idle_seconds: int = Field(default=3600, ge=60, le=86400)
    lifetime_seconds: int = Field(default=12 * 3600, ge=60, le=30 * 86400)


class SignInLimit(_Section):
    """Token buckets of the sign-in: attempts in a burst, and attempts per second that grow back."""

    source_capacity: float = Field(default=30, gt=0)
    source_refill: float = Field(default=0.5, gt=0)
    account_capacity: float = Field(default=10, gt=0)
    account_refill: float = Field(default=1 / 30, gt=0)


class OpenStackCloudSettings(_Section):
    """Where the OpenStack cloud is. The administrator's part is for the provisioner alone."""

    auth_url: str
    region: str = "RegionOne"
    interface: str = "public"
    ca_file: Path | None = None
    external_network: str | None = None
    timeout_seconds: float = Field(default=20, gt=0, le=300)
    administrator_username: str | None = None
    administrator_password: SecretStr | None = None
    administrator_project_name: str = "admin"
    administrator_user_domain_name: str = "Default"
    administrator_project_domain_name: str = "Default"


class StripeCloudSettings(_Section):
    """Where Stripe is. The secret key is for the tenants' workers alone, the webhooks' secrets for portal processes."""

    secret_key: SecretStr | None = None
    publishable_key: str | None = None
    """What browsers speak to Stripe with; no secret."""
    webhook_secrets: list[SecretStr] = Field(default_factory=list)
    """Of the webhook's endpoint, the newest first; two while one is rolled."""
    webhook_tolerance_seconds: int = Field(default=300, ge=1, le=3600)
    base_address: str = "https://api.stripe.com"
    script_url: str = "https://js.stripe.com/v3/"
    """Stripe's own script, which takes card numbers in the browser."""
    timeout_seconds: float = Field(default=20, gt=0, le=80)


class WorkerSettings(_Section):
    """How the workers work, in seconds."""

    concurrency: int = Field(default=8, ge=1, le=256)
    heartbeat_seconds: float = Field(default=10, gt=0)
    stalled_after_seconds: float = Field(default=30, gt=0)
    """A worker that has not been heard of for so long is dead, and its jobs are queued again."""
    give_up_after_seconds: float = Field(default=900, gt=0)
    """How long a step is tried against a cloud that is away, before its operation fails and can be retried."""
    sweep_seconds: float = Field(default=900, ge=1)
    """How often each tenant's project is compared with the database."""
    billing_settling_seconds: int = Field(default=900, ge=1)
    """How long after a moment its usage is invoiced: longer than any transaction lasts."""
    longest_operation_seconds: float = Field(default=7200, gt=0)
    """How long a cloud that says yes and does nothing is asked again, before the operation fails and can be retried."""


class DomainSettings(_Section):
    """How portals' domains are proven, held and looked at again."""

    resolvers: list[str] = Field(default_factory=list)
    """Recursive name servers, as `address` or `address:port`; the system's if there is none."""
    timeout_seconds: float = Field(default=10, gt=0, le=60)
    check_seconds: float = Field(default=6 * 3600, ge=10)
    """How often the record of a proven domain is looked at again."""
    grace_days: float = Field(default=7, ge=0, le=365)
    """How long a domain whose record has gone still leads to its portal."""
    quarantine_days: float = Field(default=90, ge=0, le=3650)
    """How long a released domain can go to no other portal."""
    need_no_proof: list[str] = Field(default_factory=lambda: ["localhost"])
    """Names below these need no record, as they lead nowhere outside: nobody else could have them."""


class ErasureSettings(_Section):
    """How workers erase volumes, and how sure they have to be."""

    confidence: float = Field(default=0.999, gt=0, le=1)
    """How sure it has to be that less than `share` of a volume's blocks holds anything; 1 reads all of them back."""
    share: float = Field(default=0.001, gt=0, lt=1)
    backend_clears: bool = False
    """Leave it to the cloud, which has to overwrite what it deletes (Cinder's `volume_clear`); nothing is read back."""
    local_directory: Path | None = None
    """Where volumes are files of this machine, as those of the embedded cloud are: what is elsewhere is not opened."""


class Settings(BaseSettings):
    """All settings of Platforma."""

    model_config = SettingsConfigDict(
        env_prefix="PLATFORMA_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    database: DatabaseSettings = DatabaseSettings()
    session: SessionSettings = SessionSettings()
    sign_in_limit: SignInLimit = SignInLimit()
    openstack: OpenStackCloudSettings | None = None
    stripe: StripeCloudSettings = StripeCloudSettings()
    worker: WorkerSettings = WorkerSettings()
    erasure: ErasureSettings = ErasureSettings()
    domains: DomainSettings = DomainSettings()
    pepper: SecretStr | None = None
    """Key that passwords are peppered with; the database never sees it. Portal and operator processes."""
    credential_keys: list[SecretStr] = Field(default_factory=list)
    """Key ring that opens tenants' cloud credentials, newest first. Workers only."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses of reverse proxies whose X-Forwarded-For is believed."""
    maximum_body_bytes: int = Field(default=1 << 20, ge=1024)
    public_port: int | None = Field(default=None, ge=1, le=65535)
    """Port in links to portals, where it is not the scheme's own."""
    public_scheme: str = Field(default="https", pattern="^https?$")
    hsts_seconds: int = Field(default=31_536_000, ge=0)
    """For how long browsers speak to a host over TLS only (RFC 6797); 0 takes back what was said."""
    operator_host: str = "operator.localhost"
    security_contacts: list[Annotated[str, Field(pattern=r"^(mailto:|tel:|https://)[^\s]+$")]] = Field(
        default_factory=list
    )
    """Whom to tell of a weakness, in security.txt (RFC 9116); without one there is no such file."""
    security_policy: str | None = Field(default=None, pattern=r"^https://[^\s]+$")
    """Where the policy for researchers can be read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what was given in code, then the environment, then the settings file."""
        return init_settings, env_settings, dotenv_settings


_NOT_SETTINGS = frozenset({"PLATFORMA_SETTINGS", "PLATFORMA_STATE"})
"""Variables that say where things are: the settings file, and the state of `make up`."""


@cache
def load_settings() -> Settings:
    """Return the settings of this process; raises SettingsError that names each setting that is wrong."""
    file = os.environ.get("PLATFORMA_SETTINGS")
    if file is not None and not Path(file).is_file():
        raise SettingsError(f"PLATFORMA_SETTINGS names {file}, which is not a file.")
    unknown = sorted(name for name in os.environ if _is_unknown(name))
    if unknown:
        raise SettingsError(f"There is no setting {', '.join(unknown)}. See docs/settings.md.")
    try:
        return Settings(_env_file=file)
    except ValidationError as error:
        lines = [
            f"PLATFORMA_{'__'.join(map(str, item['loc'])).upper().removeprefix('PLATFORMA_')}: {item['msg']}"
            for item in error.errors()
        ]
        raise SettingsError("These settings are wrong:\n" + "\n".join(lines)) from None


def _is_unknown(name: str) -> bool:
    """Whether a variable of the environment is meant for us and names no setting: a slip of the pen has no effect."""
    prefix, _, rest = name.partition("_")
    first = rest.lower().partition("__")[0]
    return prefix == "PLATFORMA" and name not in _NOT_SETTINGS and first not in Settings.model_fields


def need(value: SecretStr | None, name: str) -> str:
    """Return a secret that this process cannot do without; raises SettingsError if it is not set."""
    if value is None:
        raise SettingsError(f"Set PLATFORMA_{name}.")
    return value.get_secret_value()
