"""Key pairs and servers of the tenant's project."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound
from platforma.clouds.openstack.kinds import KEY_PAIRS, PORTS, SERVERS, required
from platforma.clouds.openstack.ownership import ProjectPart
from platforma.clouds.openstack.resources import (
    CloudId,
    CloudKeyPair,
    CloudServer,
    Reference,
    ServerAddress,
    cloud_name,
    server_hostname,
)
from platforma.clouds.openstack.translation import at_border, clean_reason

_POWER_STATES = {1: "running", 3: "paused", 4: "stopped", 6: "crashed", 7: "suspended"}
"""`nova.objects.fields.InstancePowerState`; 0 is none yet."""

_FORCED = {"ERROR", "SOFT_DELETED"}


class ComputePart(ProjectPart):
    """As `ComputeCloud`."""

    @at_border
    def ensure_key_pair(self, id_: UUID, *, public_key: str) -> CloudKeyPair:
        name = cloud_name(id_)
        try:
            item = self._read(KEY_PAIRS, name)
        except CloudNotFound:
            item = None
        if item is not None and item.public_key.strip() != public_key.strip():
            KEY_PAIRS.delete(self._connection, name)
            item = None
        if item is None:
            item = self._connection.compute.create_keypair(name=name, type="ssh", public_key=public_key)
        self._accept(KEY_PAIRS, item)
        return CloudKeyPair(name=name, fingerprint=required(item.fingerprint, "fingerprint"))

    @at_border
    def delete_key_pair(self, reference: Reference) -> bool:
        KEY_PAIRS.delete(self._connection, cloud_name(reference) if isinstance(reference, UUID) else reference)
        return True

    @at_border
    def ensure_server(
        self,
        id_: UUID,
        *,
        hostname: str,
        flavor_cloud_id: CloudId,
        image_cloud_id: CloudId,
        key_pair_name: str | None,
        port_cloud_ids: Sequence[CloudId],
        metadata: Mapping[str, str],
    ) -> CloudServer:
        item = self._find(SERVERS, id_)
        if item is None:
            self._require_own(PORTS, port_cloud_ids)
            key = {} if key_pair_name is None else {"key_name": key_pair_name}
            made = self._connection.compute.create_server(
                name=cloud_name(id_),
                hostname=server_hostname(hostname),
                flavor_id=flavor_cloud_id,
                image_id=image_cloud_id,
                networks=[{"port": port} for port in port_cloud_ids],
                metadata=dict(metadata),
                **key,
            )
            item = self._read(SERVERS, required(made.id, "id"))
        return _server(item)

    @at_border
    def get_server(self, cloud_id: CloudId) -> CloudServer:
        return _server(self._read(SERVERS, cloud_id))

    @at_border
    def start_server(self, cloud_id: CloudId) -> None:
        item = self._read(SERVERS, cloud_id)
        if not (item.status == "ACTIVE" and item.task_state is None) and item.task_state != "powering-on":
            self._connection.compute.start_server(cloud_id)

    @at_border
    def stop_server(self, cloud_id: CloudId) -> None:
        item = self._read(SERVERS, cloud_id)
        if not (item.status == "SHUTOFF" and item.task_state is None) and item.task_state != "powering-off":
            self._connection.compute.stop_server(cloud_id)

    @at_border
    def reboot_server(self, cloud_id: CloudId, *, hard: bool) -> None:
        self._read(SERVERS, cloud_id)
        self._connection.compute.reboot_server(cloud_id, "HARD" if hard else "SOFT")

    @at_border
    def count_reboots(self, cloud_id: CloudId) -> int:
        self._read(SERVERS, cloud_id)
        actions = self._connection.compute.server_actions(cloud_id)
        return sum(1 for each in actions if each.action == "reboot")

    @at_border
    def console_output(self, cloud_id: CloudId, *, lines: int) -> str:
        self._read(SERVERS, cloud_id)
        answer = self._connection.compute.get_server_console_output(cloud_id, length=lines)
        return str(required(answer.get("output"), "output"))

    @at_border
    def attach_port(self, server_cloud_id: CloudId, port_cloud_id: CloudId) -> None:
        self._read(SERVERS, server_cloud_id)
        port = self._read(PORTS, port_cloud_id)
        if port.device_id and port.device_id != server_cloud_id:
            raise CloudConflict("The port is at another server.")
        if not port.device_id:
            self._connection.compute.create_server_interface(server_cloud_id, port_id=port_cloud_id)

    @at_border
    def detach_port(self, server_cloud_id: CloudId, port_cloud_id: CloudId) -> None:
        if self._read(PORTS, port_cloud_id).device_id != server_cloud_id:
            return
        try:
            self._read(SERVERS, server_cloud_id)
        except CloudNotFound:  # it went without letting go
            self._connection.network.update_port(port_cloud_id, device_id="", device_owner="")
        else:
            self._connection.compute.delete_server_interface(port_cloud_id, server=server_cloud_id)

    @at_border
    def delete_server(self, reference: Reference) -> bool:
        def delete(server: Any) -> bool:
            if server.task_state != "deleting":
                self._connection.compute.delete_server(server.id, force=server.status in _FORCED)
            return False

        return self._delete(SERVERS, reference, delete)


def _server(item: Any) -> CloudServer:
    status = str(required(item.status, "status"))
    return CloudServer(
        cloud_id=required(item.id, "id"),
        status=status,
        power=_POWER_STATES.get(item.power_state, status.lower()),
        task_state=item.task_state,
        fault=clean_reason((item.fault or {}).get("message")),
        addresses=tuple(
            ServerAddress(network_name=network, address=each["addr"], version=each["version"])
            for network, addresses in (item.addresses or {}).items()
            for each in addresses
            if each.get("OS-EXT-IPS:type", "fixed") == "fixed"
        ),
    )
