"""A furnished tenant: one of everything that a tenant can own, written as the application's own role."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select

from platforma.authentication.models import Session
from platforma.authentication.permissions import Role
from platforma.authentication.principals import SessionBinding
from platforma.billing.invoice_models import BillingDetails, Invoice, InvoiceLine
from platforma.billing.models import Discount, UsageCorrection
from platforma.billing.payment_models import (
    BillingEvent,
    Budget,
    CreditEntry,
    Payment,
    PaymentMethod,
    PaymentSetup,
    Refund,
)
from platforma.billing.probes import NAME_OF_BOTH
from platforma.compute.models import Flavor, Image, KeyPair, Server, ServerSecurityGroup
from platforma.database.database import Database, PlatformSession
from platforma.database.gate_calls import OperationBinding, OperatorBinding
from platforma.database.tenant_session import WriteSession
from platforma.kit.clock import utc_now
from platforma.kit.crypto import new_token, public_key_of, seal_to
from platforma.kit.ids import new_id
from platforma.kubernetes.models import Cluster, Kubeconfig, Namespace, NamespaceReading, Opening
from platforma.kubernetes.schemas import EXAMPLE_KEY
from platforma.network.models import (
    FloatingIp,
    Network,
    Port,
    PortSecurityGroup,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from platforma.operations.models import Operation
from platforma.portal.models import Domain, Portal
from platforma.storage.erasure_models import Erasure, ErasureRecord
from platforma.storage.models import Snapshot, Volume, VolumeAttachment, VolumeType
from platforma.sweep.models import Sweep, SweepFinding
from platforma.tenants.models import AuditEvent, CloudCredential, Member, Quota, Tenant
from tests.database.tenants import PROVEN

SALT = bytes(16)
PASSWORD = "correct horse battery staple"  # as in the examples of the API


@dataclass
class Tenancy:
    """A tenant at a portal of its own, with a signed-in member of each role and one of everything."""

    host: str
    tenant_id: UUID
    canary: str
    tokens: dict[Role, str] = field(default_factory=dict)
    members: dict[Role, UUID] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    """By the name that a path parameter or body field has: `server_id`, `volume_id`, ..."""

    def binding(self, role: Role = Role.OWNER) -> SessionBinding:
        """Return the binding of a member's session."""
        return SessionBinding(self.tokens[role], self.host)


@dataclass(frozen=True)
class Databases:
    """One database, as each application role."""

    portal: Database
    operator: Database
    provisioner: Database
    worker: Database
    stretched: bytes
    """The password of every member, as the portal stretches it."""


async def furnish(databases: Databases) -> Tenancy:
    """Make a tenant at a new portal, sign its members in, and give it one of everything."""
    mark = secrets.token_hex(6)
    tenancy = Tenancy(host=f"portal-{mark}.localhost", tenant_id=new_id(), canary=f"canary{mark}")
    await _open_portal(databases.operator, tenancy)
    for role in Role:
        await _sign_in(databases, tenancy, role)
    catalogue = await _catalogue(databases.provisioner)
    volume_type_id = catalogue.pop("volume_type_id")
    cluster_id = await _cluster(databases)
    async with databases.portal.write(tenancy.binding()) as session:
        for name, row in (_belongings(tenancy, catalogue) | _namespaces(tenancy, cluster_id)).items():
            session.add(row)
            await session.flush()
            if name.endswith("_id"):
                tenancy.ids[name] = row.id
        mine = select(Session.id).where(Session.member_id == tenancy.members[Role.OWNER])
        tenancy.ids["session_id"] = (await session.scalars(mine)).one()
    await _add_payments(databases, tenancy)
    tenancy.ids |= catalogue | {"cluster_id": cluster_id, "volume_type_id": volume_type_id}
    return tenancy


async def _open_portal(operator: Database, tenancy: Tenancy) -> None:
    portal_id = new_id()
    async with operator.platform() as session:
        session.add(Portal(id=portal_id, name=tenancy.canary, title=f"Portal {tenancy.canary}"))
        await session.flush()
        session.add(Domain(host=tenancy.host, portal_id=portal_id, is_canonical=True, **PROVEN))
        session.add(Tenant(id=tenancy.tenant_id, portal_id=portal_id, name=f"Tenant {tenancy.canary}", status="active"))
    await operator.call_gate("add_billing_accounts")
    async with operator.write(OperatorBinding(tenancy.tenant_id, "tests", "quota.set", "a test")) as session:
        await _add_invoice(session, tenancy)
        session.add(Quota(resource="servers", maximum=50))
        session.add(Discount(percent=10, begins=datetime.now(UTC), reason=tenancy.canary, made_by="tests"))
        session.add(
            UsageCorrection(
                key=tenancy.canary,
                payload_hash=tenancy.canary.encode(),
                resource_kind="volumes",
                resource_id=new_id(),
                resource_name=tenancy.canary,
                item="volume",
                unit_seconds=3600,
                at=datetime.now(UTC),
                reason=tenancy.canary,
                made_by="tests",
            )
        )


async def _add_invoice(session: WriteSession, tenancy: Tenancy) -> None:
    begins, mark = datetime(2026, 1, 1, tzinfo=UTC), tenancy.canary
    party = {"company": mark, "country": "DE", "vat_number": None}
    invoice = Invoice(
        id=new_id(),
        kind="invoice",
        number=f"{mark}-000001",
        begins=begins,
        ends=begins + timedelta(days=31),
        currency="EUR",
        net=100,
        tax_label="VAT",
        tax_percent=Decimal(19),
        tax=19,
        total=119,
        seller=party,
        buyer=party,
        issued_at=begins + timedelta(days=31),
        due_at=begins + timedelta(days=45),
        made_by="platforma",
        status="open",
    )
    session.add(invoice)
    await session.flush()
    session.add(
        InvoiceLine(
            invoice_id=invoice.id,
            position=1,
            resource_kind="volumes",
            resource_id=new_id(),
            resource_name=mark,
            item="volume",
            label="Volume",
            unit="hour",
            price=Decimal(1),
            discount_percent=Decimal(0),
            begins=invoice.begins,
            ends=invoice.ends,
            unit_microseconds=3_600_000_000,
            free_unit_microseconds=0,
            amount=100,
        )
    )
    tenancy.ids["invoice_id"] = invoice.id
    session.add(CreditEntry(key=mark, amount=1, currency="USD", reason=mark, made_by="tests"))


async def _add_payments(databases: Databases, tenancy: Tenancy) -> None:
    """Write what only a worker writes, and what Stripe says of the tenant's customer."""
    mark, invoice_id = tenancy.canary, tenancy.ids["invoice_id"]
    async with databases.worker.write(OperationBinding(tenancy.ids["operation_id"])) as session:
        await session.call_gate("bind_customer", customer=f"cus_{mark}")
        method = PaymentMethod(
            id=new_id(), stripe_id=f"pm_{mark}", brand=mark, last4="4242", exp_month=12, exp_year=2034
        )
        payment = Payment(
            id=new_id(),
            invoice_id=invoice_id,
            attempt=1,
            status="failed",
            amount=119,
            currency="EUR",
            stripe_id=f"pi_{mark}",
            failure=mark,
            requested_by=mark,
        )
        session.add_all([method, payment])
        await session.flush()
        session.add(Refund(credit_note_id=invoice_id, payment_id=payment.id, amount=1, status="failed", failure=mark))
        session.add(BillingEvent(key=mark, kind="reminder", invoice_id=invoice_id, details={"of": mark}))
        tenancy.ids |= {"payment_method_id": method.id, "payment_id": payment.id}
    await databases.portal.call_gate(
        "receive_stripe_event", event=f"evt_{mark}", event_type="x", customer=f"cus_{mark}", object=mark
    )


async def _sign_in(databases: Databases, tenancy: Tenancy, role: Role) -> None:
    """Invite a member, accept, sign in: by the gate's own functions, with the password that is stretched already."""
    email, invitation, token = f"{role}@{tenancy.canary}.example", new_token(), new_token()
    async with databases.operator.write(OperatorBinding(tenancy.tenant_id, "tests", "invite", "a test")) as session:
        member = Member(email=email, name=f"{role} {tenancy.canary}", role=role)
        session.add(member)
        await session.flush()
        tenancy.members[role] = member.id
        await session.call_gate("create_invitation", member=member.id, token=invitation, lifetime_seconds=3600)
    verifier = hashlib.sha256(databases.stretched).digest()
    await databases.portal.call_gate(
        "accept_invitation", token=invitation, host=tenancy.host, new_salt=SALT, new_verifier=verifier
    )
    await databases.portal.call_gate(
        "sign_in",
        host=tenancy.host,
        account=email,
        stretched=databases.stretched,
        token=token,
        previous_token=None,
        user_agent=tenancy.canary,
        address="192.0.2.1",
        idle_seconds=3600,
        lifetime_seconds=3600,
        new_session_id=new_id(),
    )
    tenancy.tokens[role] = token
    tenancy.ids["member_id"] = tenancy.members.get(Role.MEMBER, tenancy.members[role])


async def _volume_type(session: PlatformSession) -> UUID:
    """A type that is offered."""
    kind: VolumeType | None = await session.scalar(select(VolumeType).where(VolumeType.cloud_id == "test-type"))
    if kind is None:
        kind = VolumeType(cloud_id="test-type", name="standard", method="zeroed_by_platform", wanted_at=utc_now())
        kind.proven_at, kind.proven_method = utc_now(), kind.method
        session.add(kind)
        await session.flush()
    return kind.id


async def _catalogue(provisioner: Database) -> dict[str, UUID]:
    async with provisioner.platform() as session:
        flavor = await session.scalar(select(Flavor).where(Flavor.cloud_id == "test-flavor"))
        image = await session.scalar(select(Image).where(Image.cloud_id == "test-image"))
        if flavor is None:
            flavor = Flavor(cloud_id="test-flavor", name="small", vcpus=1, ram_mib=512, disk_gib=10)
            session.add(flavor)
        if image is None:
            image = Image(cloud_id="test-image", name="debian-12")
            session.add(image)
        await session.flush()
        return {"flavor_id": flavor.id, "image_id": image.id, "volume_type_id": await _volume_type(session)}


async def _cluster(databases: Databases) -> UUID:
    async with databases.operator.platform() as session:
        cluster_id: UUID | None = await session.scalar(select(Cluster.id).where(Cluster.name == "tests"))
        if cluster_id is not None:
            return cluster_id
        cluster = Cluster(name="tests", server="https://cluster.test", status="ready", version="1.33")
        session.add(cluster)
        await session.flush()
        return cluster.id


def _namespaces(tenancy: Tenancy, cluster_id: UUID) -> dict[str, Any]:
    """Return what the tenant has on Kubernetes, as `_belongings` does."""
    mark = tenancy.canary

    def common(name: str) -> dict[str, Any]:
        return {"id": new_id(), "name": name, "description": mark, "status": "active", "cluster_id": cluster_id}

    size = {"vcpus": 1, "ram_mib": 1024, "pods": 5}
    namespace = Namespace(**common(f"ns-{mark}"), **size, cloud_id=mark)
    source = Namespace(**common(f"from-{mark}"), **size, cloud_id=f"from-{mark}")
    opening = Opening(
        id=new_id(),
        namespace_id=namespace.id,
        from_namespace_id=source.id,
        pod_labels={"app": mark},
        protocol="TCP",
        port=5432,
        end_port=5432,
        description=mark,
    )
    event = {"type": "Normal", "reason": mark, "object": mark, "message": mark, "count": 1, "at": None}
    read = {"workloads": [], "events": [event], "used": {"vcpus": 0.5, "ram_mib": 512, "pods": 1}}
    key = base64.b64decode(EXAMPLE_KEY)
    kubeconfig = Kubeconfig(
        **common(f"kubeconfig {mark}"),
        cloud_id=mark,
        member_id=tenancy.members[Role.OWNER],
        issued_to=mark,
        lifetime_seconds=3600,
        public_key=public_key_of(key),
        expires_at=utc_now() + timedelta(hours=1),
    )
    kubeconfig.sealed = seal_to(kubeconfig.public_key, mark.encode(), owner=kubeconfig.id.bytes)
    return {
        "namespace_id": namespace,
        "from_namespace_id": source,
        "opening_id": opening,
        "namespace_reading": NamespaceReading(namespace_id=namespace.id, content=read, read_at=utc_now()),
        "kubeconfig_id": kubeconfig,
    }


def _belongings(tenancy: Tenancy, catalogue: dict[str, UUID]) -> dict[str, Any]:
    """Return one row of each kind, in the order in which they refer to each other. Names ending in `_id` are
    what path parameters call them; the others only have to be there."""
    mark = tenancy.canary

    def common(name: str) -> dict[str, Any]:
        return {"id": new_id(), "name": f"{name} {mark}", "description": mark, "status": "active", "cloud_id": mark}

    network = Network(**common("network"))
    busy_network = Network(**common("busy network"))
    router = Router(**common("router"))
    busy_router = Router(**common("busy router"), has_external_gateway=True)
    subnet = Subnet(**common("subnet"), network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    busy_subnet = Subnet(
        **common("busy subnet"), network_id=busy_network.id, ip_version=4, cidr="10.9.0.0/24", router_id=busy_router.id
    )
    default_group = SecurityGroup(**common("default"), is_default=True)
    group = SecurityGroup(**common("group"))
    rule = SecurityGroupRule(
        id=new_id(), security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp", description=mark
    )
    key_pair = KeyPair(**common("key"), public_key=f"ssh-ed25519 {mark}", fingerprint=f"SHA256:{mark}")
    server = Server(**common("server"), **catalogue, power_state="running", console_output=f"console of {mark}")
    port = Port(**common("port"), server_id=server.id, network_id=busy_network.id, addresses=["10.9.0.7"])
    volume = Volume(**common("volume"), size_gib=1, observed_size_gib=1)
    busy_volume = Volume(**common("busy volume"), size_gib=1, observed_size_gib=1)
    erasure = Erasure(
        id=new_id(),
        subject_kind="volume",
        subject_id=new_id(),
        name=f"erased {mark}",
        size_gib=1,
        method="zeroed_by_platform",
        requested_by=mark,
    )
    content = f'{{"event":"requested","done_by":"{mark}"}}'
    operation = Operation(
        id=new_id(),
        action="network.create",
        resource_kind="network",
        resource_id=network.id,
        resource_name=network.name,
        requested_by=mark,
        status="failed",
        error={"type": "x", "title": mark},
    )
    return {
        "network_id": network,
        "busy_network": busy_network,
        "router_id": router,
        "busy_router": busy_router,
        "subnet_id": subnet,
        "busy_subnet": busy_subnet,
        "default_group": default_group,
        "security_group_id": group,
        "rule_id": rule,
        "key_pair_id": key_pair,
        "server_id": server,
        "port_id": port,
        "free_port_id": Port(**common("free port"), network_id=busy_network.id, addresses=["10.9.0.8"]),
        "port_group": PortSecurityGroup(port_id=port.id, security_group_id=default_group.id),
        "floating_ip_id": FloatingIp(**common("floating ip"), address="203.0.113.9"),
        "server_group": ServerSecurityGroup(server_id=server.id, security_group_id=default_group.id),
        "volume_id": volume,
        "busy_volume": busy_volume,
        "snapshot_id": Snapshot(
            **common("snapshot"), volume_id=volume.id, volume_name=volume.name, size_gib=1, observed_size_gib=1
        ),
        "attachment": VolumeAttachment(volume_id=busy_volume.id, server_id=server.id, status="attached"),
        "erasure_id": erasure,
        "erasure_record": ErasureRecord(erasure_id=erasure.id, event="requested", content=content),
        "operation_id": operation,
        "audit": AuditEvent(actor=mark, action="test"),
        "setup_id": PaymentSetup(id=new_id(), status="wanted", requested_by=mark),
        "budget_id": Budget(id=new_id(), name=f"budget {mark}", amount=1000, thresholds=[80, 100]),
        "other_budget": Budget(id=new_id(), name=NAME_OF_BOTH, amount=1000, thresholds=[100]),
        "billing_details": BillingDetails(
            company=mark, line1=mark, postal_code="1", city=mark, country="DE", contacts=[f"{mark}@example.org"]
        ),
    }


UNFURNISHED = {
    CloudCredential.__tablename__: "no portal process can read or write it",
    Sweep.__tablename__: "no portal process can read or write it",
    SweepFinding.__tablename__: "no portal process can read or write it",
}
"""Tenant-owned tables that a furnished tenant has nothing in, and why."""
