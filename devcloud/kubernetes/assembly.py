"""How the parts of the stand-in come together."""

from __future__ import annotations

import hashlib
from pathlib import Path

from devcloud.kubernetes.admission import Admission
from devcloud.kubernetes.admission.policies import Policies
from devcloud.kubernetes.authentication import Authenticator
from devcloud.kubernetes.authorization import Authorizer
from devcloud.kubernetes.controllers import Controllers
from devcloud.kubernetes.network import Network
from devcloud.kubernetes.resources import Resources
from devcloud.kubernetes.seed import seed
from devcloud.kubernetes.server import ApiServer
from devcloud.kubernetes.store import Store

POLICY_DELAY_SECONDS = 0.2
REMEMBERED_SECONDS = 10.0


def assemble(
    administrator_token: str,
    certificate_authority: str,
    *,
    file: Path | None = None,
    network: Network | None = None,
    policy_delay_seconds: float = POLICY_DELAY_SECONDS,
    remembered_seconds: float = REMEMBERED_SECONDS,
) -> ApiServer:
    """Return a server with what was saved in the file, or with what a new cluster has.

    With a network it says of itself that it simulates one. Admission policies are in force after
    `policy_delay_seconds`; a token that was good is taken for good for `remembered_seconds` more.
    """
    store = Store(file)
    store.load()
    authorizer = Authorizer(store)
    resources = Resources(store, Admission(store, Policies(policy_delay_seconds)), authorizer)
    seed(resources)
    key = hashlib.sha256(f"tokens/{administrator_token}".encode()).digest()
    authenticator = Authenticator(store, administrator_token, key, remembered_seconds=remembered_seconds)
    controllers = Controllers(resources, certificate_authority, network)
    return ApiServer(resources, authenticator, authorizer, controllers, is_simulating=network is not None)
