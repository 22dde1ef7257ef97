"""Connections that are kept: signing in anew for each operation would cost more than the operation."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from platforma.clouds.blocks import Blocks, LocalBlocks
from platforma.clouds.openstack.administration import OpenStackAdministration
from platforma.clouds.openstack.connection import (
    Opened,
    open_administrator_connection,
    open_project_connection,
)
from platforma.clouds.openstack.project import OpenStackProject
from platforma.clouds.openstack.resources import AdministratorCredential, OpenStackSettings, ProjectCredential
from platforma.clouds.openstack.translation import border

DEFAULT_CAPACITY = 64

_Key = tuple[OpenStackSettings, ProjectCredential | AdministratorCredential]


class CloudPool:
    """As `Clouds`. Keeps the connections that were used last, at most `capacity`; may be shared by threads.

    A connection is found only by the whole credential, secret included: whoever knows an id alone gets nothing. It is
    forgotten when the cloud no longer accepts its credential.
    """

    def __init__(self, *, capacity: int = DEFAULT_CAPACITY, blocks: Blocks | None = None) -> None:
        """`blocks` is how this machine opens volumes; without it none can be opened."""
        self._blocks = blocks or LocalBlocks()
        self._capacity = capacity
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, Opened] = OrderedDict()
        self._discovered: dict[str, dict[str, Any]] = {}

    def open_project(self, settings: OpenStackSettings, credential: ProjectCredential) -> OpenStackProject:
        """Return the tenant's project; raises CloudCredentialInvalid unless the credential is confined to it."""
        key = (settings, credential)
        opened = self._open(key, lambda: open_project_connection(settings, credential, self._discovery(settings)))
        project = OpenStackProject(opened, lambda: self.forget(settings, credential))
        project.blocks = self._blocks
        return project

    def open_administration(
        self, settings: OpenStackSettings, credential: AdministratorCredential
    ) -> OpenStackAdministration:
        """Return the cloud's administration; raises CloudCredentialInvalid if the administrator is refused."""
        discovered = self._discovery(settings)
        key = (settings, credential)
        opened = self._open(key, lambda: open_administrator_connection(settings, credential, discovered))
        return OpenStackAdministration(opened, credential, discovered, lambda: self.forget(settings, credential))

    def forget(self, settings: OpenStackSettings, credential: ProjectCredential | AdministratorCredential) -> None:
        """Drop the connection of a credential; who still holds it may go on."""
        with self._lock:
            self._kept.pop((settings, credential), None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def _open(self, key: _Key, connect: Callable[[], Opened]) -> Opened:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        with border():
            made = connect()
        with self._lock:
            kept = self._kept.setdefault(key, made)
            self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return kept

    def _discovery(self, settings: OpenStackSettings) -> dict[str, Any]:
        with self._lock:
            return self._discovered.setdefault(settings.auth_url, {})
