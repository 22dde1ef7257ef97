"""What can stand in the way of an operator's act."""

from platforma.kit.problems import Conflict, NotFound


class UnknownPortal(NotFound):
    type = "unknown-portal"
    title = "There is no such portal"


class UnknownTenant(NotFound):
    type = "unknown-tenant"
    title = "There is no such tenant"


class UnknownMember(NotFound):
    type = "unknown-member"
    title = "The tenant has no such member"


class NameTaken(Conflict):
    type = "name-taken"
    title = "The name is taken"


class SignInNameTaken(Conflict):
    """Told to operators only: members never learn who else has an account at their portal."""

    type = "sign-in-name-taken"
    title = "The portal has an account with this e-mail already"


class WrongTenantStatus(Conflict):
    type = "wrong-tenant-status"
    title = "The tenant is in no state for this"


class UnknownSession(NotFound):
    type = "unknown-session"
    title = "There is no such session"
