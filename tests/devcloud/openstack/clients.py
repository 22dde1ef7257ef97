"""Signing in to a devcloud with openstacksdk, as an unmodified client does."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from keystoneauth1.identity import v3
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from openstack.block_storage.v3._proxy import Proxy as BlockStorage
from openstack.compute.v2._proxy import Proxy as Compute
from openstack.connection import Connection
from openstack.identity.v3._proxy import Proxy as Identity
from openstack.image.v2._proxy import Proxy as Image
from openstack.network.v2._proxy import Proxy as Network

from devcloud.openstack import Credentials

WAIT_SECONDS = 240


@dataclasses.dataclass(frozen=True)
class Member:
    """A project and a user who is its only member."""

    project_id: str
    user_id: str
    name: str
    password: str


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A connection whose services have the types of the versions that devcloud speaks."""

    connection: Connection

    @property
    def session(self) -> Session:
        return self.connection.session

    @property
    def compute(self) -> Compute:
        return self.connection.compute

    @property
    def network(self) -> Network:
        return self.connection.network

    @property
    def identity(self) -> Identity:
        proxy = self.connection.identity
        assert isinstance(proxy, Identity)
        return proxy

    @property
    def image(self) -> Image:
        proxy = self.connection.image
        assert isinstance(proxy, Image)
        return proxy

    @property
    def storage(self) -> BlockStorage:
        proxy = self.connection.block_storage
        assert isinstance(proxy, BlockStorage)
        return proxy


@contextmanager
def connect_admin(credentials: Credentials) -> Iterator[Cloud]:
    admin = credentials.admin
    auth = v3.Password(credentials.auth_url, **dataclasses.asdict(admin))
    with _connect(credentials, auth) as cloud:
        yield cloud


@contextmanager
def connect_member(credentials: Credentials, member: Member) -> Iterator[Cloud]:
    auth = v3.Password(
        credentials.auth_url,
        username=member.name,
        password=member.password,
        project_name=member.name,
        user_domain_name="Default",
        project_domain_name="Default",
    )
    with _connect(credentials, auth) as cloud:
        yield cloud


@contextmanager
def connect_application(credentials: Credentials, key: str, secret: str) -> Iterator[Cloud]:
    auth = v3.ApplicationCredential(
        credentials.auth_url, application_credential_id=key, application_credential_secret=secret
    )
    with _connect(credentials, auth) as cloud:
        yield cloud


def create_member(credentials: Credentials) -> Member:
    """A new project with a user of its own, both of the same random name."""
    name, password = f"project-{secrets.token_hex(6)}", secrets.token_urlsafe(16)
    with connect_admin(credentials) as admin:
        project = admin.identity.create_project(name=name, domain_id="default")
        user = admin.identity.create_user(name=name, password=password, domain_id="default")
        role = admin.identity.find_role("member", ignore_missing=False)
        admin.identity.assign_project_role_to_user(project, user, role)
    return Member(project.id, user.id, name, password)


@contextmanager
def _connect(credentials: Credentials, auth: BaseAuthPlugin) -> Iterator[Cloud]:
    # From a session and not by openstack.connect(), which would merge a clouds.yaml and OS_* variables
    # of the caller's, and warns about an InfluxDB that nobody has asked for.
    session = Session(auth=auth, app_name="devcloud-tests")
    with contextlib.closing(Connection(session=session, region_name=credentials.region)) as connection:
        yield Cloud(connection)
