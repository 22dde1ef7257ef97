"""Every model of the product, imported, so that the metadata is complete."""

from platforma.authentication import models as authentication
from platforma.billing import invoice_models as invoices
from platforma.billing import models as billing
from platforma.billing import payment_models as payments
from platforma.compute import models as compute
from platforma.database.tables import Base
from platforma.kubernetes import models as kubernetes
from platforma.network import models as network
from platforma.operations import models as operations
from platforma.portal import models as portal
from platforma.storage import erasure_models as erasures
from platforma.storage import models as storage
from platforma.sweep import models as sweep
from platforma.tenants import models as tenants

__all__ = [
    "Base",
    "authentication",
    "billing",
    "compute",
    "erasures",
    "invoices",
    "kubernetes",
    "network",
    "operations",
    "payments",
    "portal",
    "storage",
    "sweep",
    "tenants",
]
