"""The console's forms."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, create_model

from platforma.api.fields import Name
from platforma.authentication.permissions import Role
from platforma.authentication.schemas import Email, Password
from platforma.operator.schemas import BrandChange, Host, Kubeconfig, Reason, ShortName
from platforma.portal.forms import FormInput, Ticked
from platforma.tenants.quotas import DEFAULT_QUOTAS


class SignInForm(FormInput):
    """E-mail and password, and where to go then."""

    email: Email
    password: Password
    next: Annotated[str, Field(max_length=4000)] = "/"


class PortalForm(FormInput):
    """A portal at its first host."""

    name: ShortName
    title: Name
    host: Host


class TitleForm(FormInput):
    """What a portal's visitors read."""

    title: Name


class BrandForm(FormInput, BrandChange):
    """A portal's brand: what is left empty is taken back."""


class BrandQuery(BaseModel):
    """What is typed into the brand's form, for its preview: whatever cannot be used is left out."""

    accent: Annotated[str | None, Field(max_length=20)] = None
    accent_dark: Annotated[str | None, Field(max_length=20)] = None
    welcome: Annotated[str | None, Field(max_length=1000)] = None


class DomainForm(FormInput):
    """One more host of a portal."""

    host: Host
    is_canonical: Ticked = False


class ClusterForm(FormInput):
    """A cluster to be connected."""

    name: ShortName
    kubeconfig: Kubeconfig


class KubeconfigForm(FormInput):
    """Another administrator's kubeconfig."""

    kubeconfig: Kubeconfig


class TenantForm(FormInput):
    """A tenant to be onboarded, with the usual quotas."""

    name: Name
    reason: Reason


class ActForm(FormInput):
    """An act on a tenant."""

    reason: Reason


class OffboardingForm(ActForm):
    """The end of a tenant, whose name is typed to be sure."""

    confirm_name: Annotated[str, StringConstraints(max_length=255)] = ""


class InvitationForm(ActForm):
    """Whom to invite."""

    email: Email
    name: Name
    role: Role


class QuotasFormBase(ActForm):
    """New quotas; those that are left as they are stay."""


_Quota = Annotated[int | None, Field(ge=0, le=1_000_000_000)]
QuotasForm = create_model(
    "QuotasForm",
    __base__=QuotasFormBase,
    **dict.fromkeys(DEFAULT_QUOTAS, (_Quota, None)),  # type: ignore[call-overload]
)
