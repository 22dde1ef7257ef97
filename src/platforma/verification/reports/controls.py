"""Which controls of known standards an attack on a layer is evidence for. Evidence, not conformity: that is audited.

OWASP ASVS 5.0.0 (https://github.com/OWASP/ASVS), SOC 2 (AICPA Trust Services Criteria, 2017), ISO/IEC 27001:2022.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from platforma.kit.probes import Layer


@dataclass(frozen=True)
class Controls:
    """The items of each standard, and what the layer promises."""

    promise: str
    asvs: tuple[str, ...]
    soc2: tuple[str, ...]
    iso27001: tuple[str, ...]


CONTROLS: Mapping[Layer, Controls] = {
    Layer.AUTHENTICATION: Controls(
        "The tenant comes from the session alone; a session that has ended is worthless on the very next request.",
        ("7.2.1", "7.4.1", "8.2.1"),
        ("CC6.1", "CC6.3"),
        ("A.5.15", "A.8.5"),
    ),
    Layer.DATABASE: Controls(
        "No query crosses the border between tenants; another's id is answered as one that never existed.",
        ("8.2.2", "8.4.1"),
        ("CC6.1",),
        ("A.8.3",),
    ),
    Layer.NETWORK: Controls(
        "Servers and pods of different tenants cannot reach each other by anything that a tenant can ask for.",
        ("8.4.1",),
        ("CC6.6",),
        ("A.8.20", "A.8.22"),
    ),
    Layer.STORAGE: Controls(
        "A volume attaches to its own tenant's servers only, and what is deleted is erased.",
        ("8.2.2", "8.4.1"),
        ("CC6.5",),
        ("A.8.3", "A.8.10"),
    ),
    Layer.BILLING: Controls(
        "Invoices, usage and payment methods are each tenant's own.",
        ("8.2.2", "8.4.1"),
        ("CC6.1",),
        ("A.8.3",),
    ),
    Layer.PORTAL: Controls(
        "A session of one portal is worthless at another, and no other site can show or extend a page.",
        ("3.4.3", "3.4.4", "8.4.1"),
        ("CC6.1", "CC6.6"),
        ("A.8.22", "A.8.26"),
    ),
}
"""Every layer is also evidence for ISO 27001 A.8.29 and SOC 2 CC7.1: that security is tested, and weaknesses found."""
