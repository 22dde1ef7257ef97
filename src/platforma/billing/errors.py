"""What stands in the way of billing."""

from platforma.kit.problems import Conflict, NotFound, Problem


class BookExists(Conflict):
    type = "price-book-exists"
    title = "There are prices from that moment on already"


class OtherCurrency(Conflict):
    type = "other-currency"
    title = "The portal's prices are in another currency"


class NoSeller(Conflict):
    type = "no-seller"
    title = "The portal has not said who issues its invoices"


class NotCreditable(Conflict):
    type = "not-creditable"
    title = "That cannot be credited"


class NoDetails(NotFound):
    type = "no-billing-details"
    title = "You have not said yet whom invoices are made out to"


class AccountBeingMade(Conflict):
    type = "account-being-made"
    title = "Your account is being made. Try again in a moment"


class RateExists(Conflict):
    type = "tax-rate-exists"
    title = "There is a rate of that country from that moment on already"


class NothingOwed(Conflict):
    type = "nothing-owed"
    title = "Nothing is owed on this invoice"


class BeingPaid(Conflict):
    type = "being-paid"
    title = "A payment of this invoice is under way"


class NotFromStripe(Problem):
    status = 400
    type = "bad-signature"
    title = "This was not signed by Stripe, or too long ago"


class BudgetExists(Conflict):
    type = "budget-exists"
    title = "There is a budget of that name already"


class KeyTaken(Conflict):
    type = "key-taken"
    title = "Something else was done under this key"
