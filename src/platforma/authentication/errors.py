"""What signing in can answer."""

from platforma.kit.problems import Problem, TooManyRequests


class SignInFailed(Problem):
    """One answer for a wrong password, an unknown e-mail, a suspended member and another portal's."""

    status = 401
    type = "sign-in-failed"
    title = "E-mail or password is wrong"


class InvitationInvalid(Problem):
    status = 404
    type = "invitation-invalid"
    title = "This invitation has been used, has run out, or is for another portal"


class PasswordsThrottled(TooManyRequests):
    """Too many tries of the present password."""

    title = "Too many attempts at your password"


class SignInThrottled(TooManyRequests):
    """Too many attempts from one address."""

    title = "Too many attempts from your address"


class PaymentOverdue(Problem):
    status = 402
    type = "payment-overdue"
    title = "Invoices are overdue"
