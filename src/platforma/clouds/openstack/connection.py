"""How connections are made, and kept.

Everything is explicit: no `clouds.yaml`, no `OS_` variable, no proxy and no `.netrc` of the environment takes part. An
SDK connection that is given a session reads none of them (`openstack.connect()` would merge them silently).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack.connection import Connection
from requests.adapters import HTTPAdapter

from platforma.clouds.openstack.errors import CloudCredentialInvalid
from platforma.clouds.openstack.resources import AdministratorCredential, OpenStackSettings, ProjectCredential

COMPUTE_MICROVERSION = "2.90"
"""The first in which a server is given its host name (Yoga)."""
VOLUME_MICROVERSION = "3.60"
"""From 3.42 volumes grow while attached; 3.60 is of Ussuri."""

_FORBIDDEN_ROLES = {"service", "manager"}
_CHUNK_BYTES = 64 * 1024
_MAXIMUM_ANSWER_BYTES = 32 * 1024 * 1024
_MAXIMUM_REDIRECTS = 2
_REVOCATION_SECONDS = 10.0
_REVOCATION_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Opened:
    """A connection, and whose token it holds."""

    connection: Any
    settings: OpenStackSettings
    project_id: str
    user_id: str
    roles: frozenset[str]


class DeadlineAdapter(HTTPAdapter):
    """Sends requests that end: the whole answer must be there in time, and small enough to hold.

    A redirect to another server is an error, for the token would go there with it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **keywords: Any) -> requests.Response:
        """Send one request; raises requests.Timeout when its time is over."""
        deadline = time.monotonic() + self._seconds
        response = super().send(request, *arguments, **keywords)
        location = response.headers.get("location")
        if response.is_redirect and location is not None:
            target = urlsplit(urljoin(str(request.url), location))
            origin = urlsplit(str(request.url))
            if (target.scheme, target.netloc) != (origin.scheme, origin.netloc):
                response.close()
                raise requests.ConnectionError("The answer leads to another server.")
        try:
            response.raw = BytesIO(self._read(response, deadline))
        except urllib3.exceptions.HTTPError as error:
            response.close()
            raise requests.ConnectionError("The answer breaks off, or is garbled.") from error
        return response

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        raw = response.raw
        while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                response.close()
                raise requests.ReadTimeout("The answer takes too long.")
            if len(body) > _MAXIMUM_ANSWER_BYTES:
                response.close()
                raise requests.ConnectionError("The answer is too long.")
        raw.release_conn()
        return bytes(body)


def open_project_connection(
    settings: OpenStackSettings, credential: ProjectCredential, discovered: dict[str, Any]
) -> Opened:
    """Return a connection with a tenant's application credential.

    Raises CloudCredentialInvalid unless the token is for the credential's project and user, and for no role of an
    administrator.
    """
    auth = v3.ApplicationCredential(
        auth_url=settings.auth_url,
        application_credential_id=credential.credential_id,
        application_credential_secret=credential.secret,
    )
    opened = _open(settings, auth, discovered)
    if (opened.project_id, opened.user_id) != (credential.project_id, credential.user_id):
        raise CloudCredentialInvalid("It leads to another project or user than it should.")
    refuse_administrator(opened.roles)
    return opened


def refuse_administrator(roles: Iterable[str]) -> None:
    """Raise CloudCredentialInvalid if one of the roles is for administrators or services, and not for tenants."""
    excess = sorted(role for role in roles if "admin" in role.lower() or role.lower() in _FORBIDDEN_ROLES)
    if excess:
        raise CloudCredentialInvalid(f"It has the roles {', '.join(excess)}, which no tenant may have.")


def open_password_connection(
    settings: OpenStackSettings, discovered: dict[str, Any], *, user_id: str, password: str, project_id: str
) -> Opened:
    """Return a connection as a user of a tenant, in the moment when its password is known."""
    auth = v3.Password(auth_url=settings.auth_url, user_id=user_id, password=password, project_id=project_id)
    return _open(settings, auth, discovered)


def open_administrator_connection(
    settings: OpenStackSettings, credential: AdministratorCredential, discovered: dict[str, Any]
) -> Opened:
    """Return a connection with the administrator's password."""
    auth = v3.Password(
        auth_url=settings.auth_url,
        username=credential.username,
        password=credential.password,
        project_name=credential.project_name,
        user_domain_name=credential.user_domain_name,
        project_domain_name=credential.project_domain_name,
    )
    return _open(settings, auth, discovered)


def open_when_accepted(connect: Callable[[], Opened]) -> Opened:
    """Connect just after a password was changed, which revokes the user's tokens.

    Keystone counts in whole seconds there, so it revokes tokens of the rest of the second as well: they are tried, and
    new ones asked for until one is good. Raises CloudCredentialInvalid when none is within some seconds.
    """
    deadline = time.monotonic() + _REVOCATION_SECONDS
    while True:
        opened = connect()
        answer = opened.connection.identity.get("/auth/projects")
        if answer.status_code != HTTPStatus.UNAUTHORIZED:
            return opened
        if time.monotonic() > deadline:
            raise CloudCredentialInvalid
        time.sleep(_REVOCATION_POLL_SECONDS)


def _open(settings: OpenStackSettings, auth: BaseIdentityPlugin, discovered: dict[str, Any]) -> Opened:
    """Sign in, with one request, and return the connection.

    `discovered` remembers what versions each service has. It is the same for every tenant, so all connections share
    it, and only the first asks.
    """
    transport = requests.Session()
    transport.trust_env = False
    for scheme in ("http://", "https://"):
        transport.mount(scheme, DeadlineAdapter(settings.timeout_seconds))
    session = Session(
        auth=auth,
        session=transport,
        verify=True if settings.ca_file is None else str(settings.ca_file),
        timeout=settings.timeout_seconds,
        redirect=_MAXIMUM_REDIRECTS,
        app_name="platforma",
        discovery_cache=discovered,
    )
    access = auth.get_access(session)
    project_id, user_id = access.project_id, access.user_id
    if project_id is None or user_id is None or access.system_scoped:
        raise CloudCredentialInvalid("It leads to no project.")
    connection = Connection(
        session=session,
        region_name=settings.region,
        interface=settings.interface,
        compute_api_version="2",
        compute_default_microversion=COMPUTE_MICROVERSION,
        block_storage_api_version="3",
        block_storage_default_microversion=VOLUME_MICROVERSION,
        connect_retries=0,
        status_code_retries=0,
    )
    return Opened(connection, settings, project_id, user_id, frozenset(access.role_names or ()))
