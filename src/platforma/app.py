"""The portal's application: one API and one set of pages for every portal, which the host chooses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from platforma import __version__
from platforma.api.application import Application
from platforma.authentication import endpoints as authentication
from platforma.authentication import pages as authentication_pages
from platforma.authentication.cookies import SESSION_COOKIE
from platforma.authentication.passwords import PasswordStretcher
from platforma.authentication.service import Authenticator
from platforma.billing import endpoints as billing
from platforma.billing import pages as billing_pages
from platforma.billing import payment_endpoints, payment_pages
from platforma.billing.invoice_endpoints import invoices
from platforma.billing.webhooks import webhooks
from platforma.compute import endpoints as compute
from platforma.compute import interface_pages, key_pair_pages
from platforma.compute import pages as compute_pages
from platforma.database.database import Database
from platforma.kubernetes import endpoints as kubernetes
from platforma.kubernetes import kubeconfig_pages
from platforma.kubernetes import pages as kubernetes_pages
from platforma.kubernetes.kubeconfig_endpoints import kubeconfigs
from platforma.network import endpoints as network
from platforma.network import floating_ip_pages, port_pages, router_pages, security_group_pages, topology_pages
from platforma.network import pages as network_pages
from platforma.network.floating_ip_endpoints import floating_ips
from platforma.network.port_endpoints import ports
from platforma.network.security_group_endpoints import security_groups
from platforma.operations import endpoints as operations
from platforma.operations import pages as operations_pages
from platforma.portal import api_reference, dashboard, search_endpoints, search_pages, security_txt
from platforma.portal import pages as portal_pages
from platforma.portal.application import create_pages
from platforma.settings import Settings, need
from platforma.storage import endpoints as storage
from platforma.storage import erasure_pages, snapshot_pages
from platforma.storage import pages as storage_pages
from platforma.storage.erasure_endpoints import erasures
from platforma.tenants import audit_pages
from platforma.tenants import endpoints as tenants
from platforma.tenants import pages as tenants_pages

API_PREFIX = "/api/v1"

API_ROUTERS: tuple[APIRouter, ...] = (
    authentication.open_router,
    authentication.router,
    network.networks,
    network.routers,
    ports,
    floating_ips,
    security_groups,
    compute.flavors,
    compute.images,
    compute.key_pairs,
    compute.servers,
    compute.ports,
    storage.volume_types,
    storage.volumes,
    storage.snapshots,
    erasures,
    kubernetes.clusters,
    kubernetes.namespaces,
    kubeconfigs,
    search_endpoints.search,
    operations.router,
    tenants.members,
    tenants.account,
    billing.billing,
    invoices,
    payment_endpoints.payments,
    payment_endpoints.payment_methods,
    webhooks,
)

PAGE_ROUTERS: tuple[APIRouter, ...] = (
    portal_pages.brand,
    security_txt.contact,
    authentication_pages.signing_in,
    dashboard.router,
    search_pages.search,
    compute_pages.servers,
    interface_pages.servers,
    interface_pages.ports,
    key_pair_pages.key_pairs,
    storage_pages.volumes,
    snapshot_pages.snapshots,
    erasure_pages.erasures,
    kubernetes_pages.namespaces,
    kubeconfig_pages.kubeconfigs,
    topology_pages.topology,
    network_pages.networks,
    router_pages.routers,
    floating_ip_pages.floating_ips,
    port_pages.ports,
    security_group_pages.security_groups,
    operations_pages.operations,
    billing_pages.billing,
    billing_pages.invoices,
    payment_pages.payments,
    payment_pages.payment_methods,
    payment_pages.authentications,
    tenants_pages.members,
    audit_pages.audit,
    api_reference.router,
    authentication_pages.account,
)

DESCRIPTION = """Everything that the portal can do. Sign in with `POST /api/v1/session` and send the cookie
that it sets. A change that takes time answers 202 with an operation to follow. Errors are problem+json
(RFC 9457). There is no parameter for a tenant: it is the one you signed in to."""


def create_app(settings: Settings) -> Application:
    """Make the application of a portal process."""
    database = Database(need(settings.database.portal, "DATABASE__PORTAL"), pool_size=settings.database.pool_size)
    stretcher = PasswordStretcher(need(settings.pepper, "PEPPER"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await database.close()

    app = Application(
        settings,
        cookie=SESSION_COOKIE,
        lifespan=lifespan,
        title="Cloud API",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{API_PREFIX}/openapi.json",
    )
    app.state.settings = settings
    app.state.database = database
    app.state.authenticator = Authenticator(database, stretcher, settings.session, settings.sign_in_limit)
    for router in API_ROUTERS:
        app.include_router(router, prefix=API_PREFIX)
    create_pages(app, PAGE_ROUTERS)
    return app
