"""Keystone: tokens, projects, users and the catalogue."""

import os
import sys
import threading
import uuid

CATALOGUE = (
    ("placement", "placement", ""),
    ("glance", "image", ""),
    ("neutron", "network", ""),
    ("cinder", "block-storage", "/v3"),
    ("cinder", "volumev3", "/v3"),
    ("nova", "compute", "/v2.1"),
)
INTERFACES = ("public", "internal", "admin")


def prepare(runtime):
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(runtime.etc)
    sys.argv = ["keystone"]


def make_application(runtime):
    is_new = runtime.is_new()
    if is_new:
        runtime.create_databases("keystone")
        for repository in ("fernet", "credential"):
            _make_keys(runtime.state / "keystone" / repository)
    from keystone.common import sql
    from keystone.wsgi.api import application

    sql.enable_sqlite_foreign_key()  # else what hangs on a removed row stays, and is found by the next of its number
    _keep_token_of_each_thread()
    if is_new:
        _make_database(runtime)
    _point_catalogue_here(runtime)
    return application


def _keep_token_of_each_thread():
    """Let a request see its own token.

    Keystone 30 keeps the token of the request on its one middleware object, from where the request reads it
    again: with several threads in one process it may find the one of whoever came just then, and a member's
    application credential is made of an administrator's roles. Keystone has to be run with one thread in
    each process. Here each thread has a token of its own.
    """
    from keystone.server.flask.request_processing.middleware.auth_context import AuthContextMiddleware

    of_thread = threading.local()

    def read(_):
        return getattr(of_thread, "token", None)

    def write(_, token):
        of_thread.token = token

    AuthContextMiddleware.token = property(read, write)


def _make_keys(directory):
    from cryptography.fernet import Fernet

    directory.mkdir(mode=0o700, exist_ok=True)
    for name in ("0", "1"):
        key = directory / name
        key.touch(mode=0o600)
        key.write_bytes(Fernet.generate_key())


def _make_database(runtime):
    from keystone.cmd import bootstrap
    from keystone.common import provider_api
    from keystone.common.sql import upgrades

    upgrades.offline_sync_database_to_version()
    bootstrap.backends.load_backends = lambda: None  # the application has loaded them
    admin = bootstrap.Bootstrapper()
    admin.admin_username = admin.project_name = admin.admin_role_name = "admin"
    admin.admin_password = runtime.settings["admin_password"]
    admin.service_name = "keystone"
    admin.region_id = runtime.settings["region"]
    admin.public_url = admin.internal_url = admin.admin_url = runtime.url_of("keystone") + "/v3"
    admin.immutable_roles = True
    admin.bootstrap()

    providers = provider_api.ProviderAPIs
    project = _new(name="service", domain_id="default", description="", enabled=True)
    providers.resource_api.create_project(project["id"], project)
    user = providers.identity_api.create_user(
        {
            "name": "service",
            "password": runtime.settings["service_password"],
            "domain_id": "default",
            "enabled": True,
        }
    )
    for role in (admin.admin_role_id, admin.service_role_id):
        providers.assignment_api.add_role_to_user_and_project(user["id"], project["id"], role)
    for name, kind, suffix in CATALOGUE:
        service = _new(name=name, type=kind, enabled=True)
        providers.catalog_api.create_service(service["id"], service)
        for interface in INTERFACES:
            endpoint = _new(
                interface=interface,
                service_id=service["id"],
                region_id=runtime.settings["region"],
                url=runtime.url_of(name) + suffix,
                enabled=True,
            )
            providers.catalog_api.create_endpoint(endpoint["id"], endpoint)
    runtime.databases_are_made()


def _point_catalogue_here(runtime):
    """Change the endpoints when the cloud has moved to other ports since its last start."""
    from keystone.common import provider_api

    catalogue = provider_api.ProviderAPIs.catalog_api
    places = {kind: runtime.url_of(name) + suffix for name, kind, suffix in CATALOGUE}
    places["identity"] = runtime.url_of("keystone") + "/v3"
    kinds = {service["id"]: service["type"] for service in catalogue.list_services()}
    for endpoint in catalogue.list_endpoints():
        url = places[kinds[endpoint["service_id"]]]
        if endpoint["url"] != url:
            catalogue.update_endpoint(endpoint["id"], {"url": url})


def _new(**fields):
    return {"id": uuid.uuid4().hex, **fields}
