"""What stands in the way of billing."""

from platforma.kit.problems import Conflict


class BookExists(Conflict):
    type = "price-book-exists"
    title = "There are prices from that moment on already"


class OtherCurrency(Conflict):
    type = "other-currency"
    title = "The portal's prices are in another currency"
