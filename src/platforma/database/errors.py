"""What the database layer refuses, and the way to do it right."""


class DatabaseLayerError(Exception):
    """A fault in our own code that the database layer caught before it reached another tenant."""


class UnscopedAccessError(DatabaseLayerError):
    """A statement that cannot be confined to the session's tenant."""


class CrossTenantError(DatabaseLayerError):
    """A row of one tenant in the session of another."""


class HeldTransactionError(DatabaseLayerError):
    """A call of the gate beside the transaction of the same request, whose locks it would wait for, in vain."""


class NotBoundError(Exception):
    """The gate bound no tenant: the session, operation or tenant is not live, or is none of this host's."""
