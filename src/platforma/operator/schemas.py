"""What the operator's API says and hears."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from platforma.api.fields import Boolean, Input, Name, Output
from platforma.api.lists import ListQuery, NamedQuery
from platforma.authentication.permissions import Role
from platforma.authentication.schemas import Email
from platforma.kubernetes.kubeconfig_files import EXAMPLE_KUBECONFIG, LONGEST_FILE
from platforma.kubernetes.models import ClusterStatus
from platforma.kubernetes.schemas import PodLabels
from platforma.network.schemas import Cidr
from platforma.operations.schemas import OperationOut
from platforma.portal.branding import ImageKind, is_link
from platforma.portal.models import DomainStatus
from platforma.storage.erasure_models import ErasureMethod
from platforma.tenants.models import TenantStatus
from platforma.tenants.quotas import DEFAULT_QUOTAS

if TYPE_CHECKING:
    from platforma.operator.price_preview import Preview

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=8, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(
        description="Why; kept in the operators' and the tenant's audit log.", examples=["Asked for in ticket 4711."]
    ),
]
ShortName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"),
    Field(description="Lower-case letters, digits and hyphens.", examples=["acme"]),
]
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
Host = Annotated[str, StringConstraints(min_length=1, max_length=253), Field(examples=["cloud.example.org"])]


def _known(quotas: dict[str, int]) -> dict[str, int]:
    unknown = sorted(set(quotas) - set(DEFAULT_QUOTAS))
    if unknown:
        raise ValueError(f"Unknown: {', '.join(unknown)[:200]}. Known: {', '.join(DEFAULT_QUOTAS)}.")
    return quotas


Quotas = Annotated[
    dict[str, Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]],
    AfterValidator(_known),
    Field(examples=[{"servers": 10}]),
]


class OperatorOut(Output):
    """The signed-in operator."""

    id: UUID
    email: str
    name: str


class PortalOut(Output):
    """A client's portal."""

    id: UUID
    name: str
    title: str
    status: Literal["active", "suspended"]
    created_at: datetime
    updated_at: datetime


def _link(text: str) -> str:
    if not is_link(text):
        raise ValueError("Enter the address of a page, which begins with https://")
    return text


_Lines = BeforeValidator(lambda value: value.replace("\r\n", "\n") if isinstance(value, str) else value)
"""Lines as a browser's form sends them."""
Accent = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$"), Field(examples=["#0f766e"])]
Link = Annotated[
    str, StringConstraints(max_length=500), AfterValidator(_link), Field(examples=["https://acme.example/terms"])
]


class BrandChange(Input):
    """What can be changed of a brand; null takes a thing back."""

    accent: Accent | None = Field(default=None, description="The brand's colour.")
    accent_dark: Accent | None = Field(default=None, description="The same in dark surroundings, if it is another.")
    welcome: Annotated[str, _Lines, StringConstraints(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]{1,500}$")] | None = Field(
        default=None, description="Read at the sign-in; plain text."
    )
    support_email: Email | None = None
    support_url: Link | None = None
    terms_url: Link | None = None
    privacy_url: Link | None = None
    mail_sender: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f\"<>@,;:\\]{1,80}$")] | None = Field(
        default=None, description="The name that mails come from."
    )
    mail_footer: Annotated[str, _Lines, StringConstraints(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]{1,1000}$")] | None = (
        Field(default=None, description="The end of every mail; plain text.")
    )


class ContrastOut(Output):
    """How a colour of the brand is used; `used` differs from `wanted` where that could not be seen or read."""

    where: str
    wanted: str
    used: str
    ratio: float = Field(description="WCAG 2.2: at least 4.5 for text, and 3 for shapes.")


class BrandFileOut(Output):
    """A picture of the brand, as it was made anew."""

    kind: ImageKind
    media_type: str
    digest: str


class BrandOut(Output):
    """A portal's brand."""

    accent: str
    accent_dark: str | None
    welcome: str | None
    support_email: str | None
    support_url: str | None
    terms_url: str | None
    privacy_url: str | None
    mail_sender: str | None
    mail_footer: str | None
    files: list[BrandFileOut]
    contrasts: list[ContrastOut]


class BrandFileIn(Input):
    """A picture: PNG, JPEG, WebP or SVG, of at most 1 MiB with everything around it."""

    content: Annotated[str, StringConstraints(min_length=1, max_length=1 << 20)] = Field(
        description="In base64.", examples=[_PIXEL]
    )


class DomainOut(Output):
    """A host of a portal, which leads there while it is proven; links are made with the canonical one."""

    host: str
    is_canonical: bool
    status: DomainStatus
    next_step: str | None = Field(description="What is to be done, if anything is.")
    needs_proof: bool
    record_name: str = Field(description="Name of the TXT record that proves the domain.")
    record_value: str
    trouble: str | None = Field(description="Why the last look at the record did not succeed.")
    checked_at: datetime | None
    proven_at: datetime | None
    withdraws_at: datetime | None = Field(description="When a domain whose record has gone leads nowhere any more.")
    created_at: datetime


class PortalCreate(Input):
    """A portal at its first, canonical host."""

    name: ShortName
    title: Annotated[Name, Field(examples=["Acme Cloud"])]
    host: Host
    accent: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] | None = Field(
        default=None, description="The brand's colour.", examples=["#0f766e"]
    )


class PortalChange(Input):
    """What can be changed of a portal. A suspended one answers as if it were not there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Acme Cloud"}]})

    title: Name = Field(default=None)  # type: ignore[assignment]
    status: Literal["active", "suspended"] = Field(default=None)  # type: ignore[arg-type]


class DomainCreate(Input):
    """One more host."""

    host: Host
    is_canonical: Boolean = Field(default=False, description="Make links with this host once it is proven.")


class DomainChange(Input):
    """The host that links are made with."""

    is_canonical: Literal[True]


Item = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_.]{0,62}(:[0-9a-zA-Z_.-]{1,64})?$")]
"""What is sold."""


class PriceIn(Input):
    """The price of one unit of an item: for an hour, or for a calendar month, of which each second costs alike."""

    item: Item = Field(
        description="One item, such as `server.running:<id of a flavour>`, or a whole kind, such as `volume`."
    )
    label: Name
    unit: Literal["hour", "month"]
    amount: Decimal = Field(ge=0, max_digits=16, decimal_places=8, description="In the currency's major unit.")
    free_units: Decimal = Field(default=Decimal(0), ge=0, max_digits=14, decimal_places=6)


class PriceBookCreate(Input):
    """All prices of a portal, from now or a later moment on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "currency": "EUR",
                    "prices": [{"item": "volume", "label": "Volume, per GiB", "unit": "month", "amount": "0.08"}],
                }
            ]
        }
    )

    effective_from: AwareDatetime | None = Field(default=None, description="If not given, now.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(description="As in ISO 4217.")
    prices: list[PriceIn] = Field(min_length=1, max_length=500)

    @field_validator("prices")
    @classmethod
    def _each_item_once(cls, prices: list[PriceIn]) -> list[PriceIn]:
        seen = [price.item for price in prices]
        twice = sorted({item for item in seen if seen.count(item) > 1})
        if twice:
            raise ValueError(f"There are two prices of {twice[0]}.")
        return prices


class ChangeOut(Output):
    """What something cost at the present prices, and costs at the new, in the currency's smallest unit."""

    name: str
    tenant_id: UUID | None
    before: int
    after: int


class PricePreviewOut(Output):
    """The effect of new prices on last month, without discounts and tax."""

    begins: datetime
    ends: datetime
    currency: str
    before: int
    after: int
    items: list[ChangeOut]
    tenants: list[ChangeOut] = Field(description="Those first whose bill changes most.")
    unpriced: list[str] = Field(description="What was used, and has no price.")

    @classmethod
    def of(cls, preview: "Preview") -> "PricePreviewOut":
        """Describe a preview."""
        lists = {name: [ChangeOut.model_validate(each) for each in getattr(preview, name)] for name in _CHANGES}
        return cls(
            begins=preview.period.begins,
            ends=preview.period.ends,
            currency=preview.currency,
            before=preview.before,
            after=preview.after,
            unpriced=list(preview.unpriced),
            **lists,
        )


_CHANGES = ("items", "tenants")


class PortalQuery(NamedQuery):
    """Filters of the list of portals."""

    status: Literal["active", "suspended"] | None = None


class TenantQuery(NamedQuery):
    """Filters of the list of tenants."""

    status: TenantStatus | None = None
    portal_id: UUID | None = None


class TenantOut(Output):
    """A tenant: its name and where it stands."""

    id: UUID
    portal_id: UUID
    name: str
    status: TenantStatus
    created_at: datetime
    updated_at: datetime


class TenantDetail(TenantOut):
    """A tenant with its last onboarding, offboarding or change of quotas, and how many members it has."""

    operation: OperationOut | None
    members: int


class TenantCreate(Input):
    """A tenant to be onboarded at a portal. Quotas that are not named are the usual ones."""

    portal_id: UUID
    name: Annotated[Name, Field(examples=["Acme"])]
    quotas: Quotas = Field(default_factory=dict)
    reason: Reason = "A new tenant."


class Act(Input):
    """An act on a tenant."""

    reason: Reason


class Offboarding(Act):
    """The end of a tenant and of all it has. `confirm_name` is its name, to be sure which one is meant."""

    confirm_name: Annotated[str, StringConstraints(max_length=255), Field(examples=["Acme"])]


class QuotaChange(Act):
    """New quotas. Those that are not named stay as they are."""

    quotas: Quotas


class QuotasOut(Output):
    """What a tenant may have, by resource."""

    quotas: dict[str, int]


class MembersQuery(ListQuery):
    """Whose members are looked at is written down, with the reason."""

    reason: Reason


class ReasonQuery(Input):
    """The reason to look."""

    reason: Reason


class Invitation(Act):
    """Whom to invite."""

    email: Email = Field(examples=["ada@example.org"])
    name: Annotated[Name, Field(examples=["Ada"])]
    role: Role


class InvitationOut(Output):
    """An invitation. The link is shown this once, and works once, within a week."""

    member_id: UUID
    email: str
    link: str
    role: str = Field(description="What the person may do. Whoever was a member before keeps the role.")
    is_new: bool = Field(description="False for a member that was: with the link that member sets a new password.")


class AuditQuery(ListQuery):
    """The newest first, if nothing else is said."""

    sort: str = Field(default="-at", pattern=r"^-?at$")
    tenant_id: UUID | None = None


class OperatorAuditOut(Output):
    """Who did what, on which tenant, and why."""

    id: UUID
    at: datetime
    actor: str
    action: str
    tenant_id: UUID | None
    reason: str
    details: dict[str, Any]


class ClusterQuery(NamedQuery):
    """Filters of the list of clusters."""

    status: ClusterStatus | None = None


ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
ImageName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$")]


Kubeconfig = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_FILE),
    Field(description="A kubeconfig that stands by itself, of an administrator. It is never shown again."),
    Field(examples=[EXAMPLE_KUBECONFIG]),
]


class ClusterSettings(Input):
    """What there is to say about a cluster that cannot be seen in it."""

    private_ranges: list[Cidr] = Field(
        default_factory=list,
        max_length=50,
        description="Closed to tenants' pods, besides what is private anywhere and the cluster's own.",
    )
    dns_namespace: ObjectName = "kube-system"
    dns_labels: Annotated[PodLabels, Field(min_length=1)] = Field(
        default_factory=lambda: {"k8s-app": "kube-dns"}, description="Of the pods that answer for DNS."
    )
    dns_addresses: list[Cidr] = Field(
        default_factory=list, max_length=20, description="Of a DNS cache on the nodes, where there is one."
    )
    ingress_namespace: ObjectName | None = Field(
        default=None, description="Whose pods reach namespaces that have hosts."
    )
    probe_image: ImageName = Field(
        default="busybox:1.37", description="What the network is tried with; has sh, nc and sleep."
    )


class ClusterCreate(Input):
    """A cluster to be connected, with an administrator's kubeconfig."""

    name: ShortName
    kubeconfig: Kubeconfig
    options: ClusterSettings = Field(default_factory=ClusterSettings)


class ClusterChange(Input):
    """Other settings of a cluster, in place of all that it has."""

    options: ClusterSettings


class KubeconfigChange(Input):
    """Another administrator's kubeconfig of the same cluster."""

    kubeconfig: Kubeconfig


class ClusterOut(Output):
    """A cluster, and what its last examination found. Its credential is not shown to anybody."""

    id: UUID
    name: str
    server: str
    options: dict[str, Any]
    status: ClusterStatus
    status_reason: str | None
    version: str | None
    is_simulated: bool
    findings: dict[str, Any]
    checked_at: datetime | None
    check_requested_at: datetime | None = Field(description="Null when no examination is waited for.")
    check_due_at: datetime
    created_at: datetime
    updated_at: datetime


class VolumeTypeChange(Input):
    """Whether to offer a volume type, and how its volumes are erased."""

    is_wanted: Boolean = Field(
        description="Offer it as soon as a canary has proven its method; with false, withdraw it."
    )
    method: ErasureMethod | None = Field(default=None, description="If not given, as it is.")
    reason: Reason = "Volume types on offer."


class VolumeTypeOut(Output):
    """A volume type of the cloud."""

    id: UUID
    name: str
    is_present: bool = Field(description="Whether the cloud has it still.")
    is_offered: bool = Field(description="Whether tenants may choose it.")
    method: ErasureMethod
    wanted_at: datetime | None = Field(description="Since when it shall be offered.")
    tried_at: datetime | None = Field(description="When the last canary was sent.")
    proven_at: datetime | None = Field(description="When one has last shown that nothing is left behind.")
    finding: str | None = Field(description="What the last one has found.")
