"""Relationships that the product's models do not have, put on them for the tests of SQLAlchemy's loaders."""

from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import foreign, relationship

from platforma.network.models import Network, Router, Subnet

network: Any = Network
subnet: Any = Subnet

if not hasattr(Network, "test_subnets"):
    network.test_subnets = relationship(
        Subnet,
        primaryjoin=and_(Network.tenant_id == foreign(Subnet.tenant_id), Network.id == foreign(Subnet.network_id)),
        viewonly=True,
    )
    # By the id alone, as somebody would write it who has forgotten the tenant.
    network.test_careless_subnets = relationship(
        Subnet, primaryjoin=Network.name == foreign(Subnet.description), viewonly=True
    )
    subnet.test_network = relationship(
        Network,
        primaryjoin=and_(Network.tenant_id == foreign(Subnet.tenant_id), Network.id == foreign(Subnet.network_id)),
        passive_deletes=True,
    )
    subnet.test_careless_network = relationship(
        Network, primaryjoin=Network.id == foreign(Subnet.network_id), viewonly=True
    )
    subnet.test_router = relationship(
        Router,
        primaryjoin=and_(Router.tenant_id == foreign(Subnet.tenant_id), Router.id == foreign(Subnet.router_id)),
        viewonly=True,
    )
