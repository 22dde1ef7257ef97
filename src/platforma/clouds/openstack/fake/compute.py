"""Key pairs, servers and volumes of the fake cloud."""

import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from platforma.clouds.blocks.memory import MemoryDevice
from platforma.clouds.openstack.errors import CloudConflict, CloudRefused
from platforma.clouds.openstack.fake.parts import FakeProjectPart
from platforma.clouds.openstack.fake.state import FakeObject, cloud_call, refuse_if
from platforma.clouds.openstack.resources import (
    CloudAttachment,
    CloudFlavor,
    CloudId,
    CloudImage,
    CloudKeyPair,
    CloudKind,
    CloudServer,
    CloudVolume,
    Reference,
    ServerAddress,
    VolumeSource,
    server_hostname,
)

FLAVORS = (
    CloudFlavor(cloud_id="flavor-nano", name="m1.nano", vcpus=1, ram_mib=64, disk_gib=1),
    CloudFlavor(cloud_id="flavor-small", name="m1.small", vcpus=1, ram_mib=2048, disk_gib=20),
)
IMAGES = (CloudImage(cloud_id="image-debian", name="debian-12", minimum_disk_gib=0, minimum_ram_mib=0),)

_POWER = {"ACTIVE": "running", "SHUTOFF": "stopped", "REBOOT": "running", "HARD_REBOOT": "running"}


class FakeComputePart(FakeProjectPart):
    """As `ComputeCloud`."""

    @cloud_call
    def ensure_key_pair(self, id_: UUID, *, public_key: str) -> CloudKeyPair:
        fingerprint = hashlib.md5(public_key.encode(), usedforsecurity=False).hexdigest()
        item, _ = self._ensure(CloudKind.KEY_PAIR, id_)
        item.attributes |= {"public_key": public_key, "fingerprint": fingerprint}
        return CloudKeyPair(name=item.name, fingerprint=fingerprint)

    @cloud_call
    def delete_key_pair(self, reference: Reference) -> bool:
        return self._delete(CloudKind.KEY_PAIR, reference, self.state.remove)

    @cloud_call
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
        ports = [self._get(CloudKind.PORT, port) for port in port_cloud_ids]
        if not all(port.attributes["fixed_ips"] for port in ports):
            raise CloudRefused("The port requires a FixedIP in order to be used.")
        if flavor_cloud_id not in {flavor.cloud_id for flavor in FLAVORS}:
            raise CloudRefused(f"Flavor {flavor_cloud_id} could not be found.")
        if image_cloud_id not in {image.cloud_id for image in IMAGES}:
            raise CloudRefused(f"Image {image_cloud_id} could not be found.")
        if key_pair_name is not None:
            self._get(CloudKind.KEY_PAIR, key_pair_name)
        item, is_new = self._ensure(CloudKind.SERVER, id_, status="BUILD", ports=list(port_cloud_ids))
        if is_new:
            item.attributes |= {
                "hostname": server_hostname(hostname),
                "flavor": flavor_cloud_id,
                "image": image_cloud_id,
                "key_pair": key_pair_name,
                "metadata": dict(metadata),
            }
            for port in ports:
                port.status = "ACTIVE"
                port.attributes["server"] = item.cloud_id
            self.state.settle(item, "ACTIVE")
        return self._server(item)

    @cloud_call
    def get_server(self, cloud_id: CloudId) -> CloudServer:
        return self._server(self._get(CloudKind.SERVER, cloud_id))

    @cloud_call
    def start_server(self, cloud_id: CloudId) -> None:
        self._change_power(cloud_id, "ACTIVE", "powering-on")

    @cloud_call
    def stop_server(self, cloud_id: CloudId) -> None:
        self._change_power(cloud_id, "SHUTOFF", "powering-off")

    @cloud_call
    def reboot_server(self, cloud_id: CloudId, *, hard: bool) -> None:
        server = self._get(CloudKind.SERVER, cloud_id)
        allowed = {"ACTIVE", "SHUTOFF", "ERROR"} if hard else {"ACTIVE"}
        refuse_if(server.status not in allowed, f"Cannot 'reboot' instance while it is in vm_state {server.status}.")
        server.status = "HARD_REBOOT" if hard else "REBOOT"
        server.attributes["reboots"] = server.attributes.get("reboots", 0) + 1
        self.state.settle(server, "ACTIVE")

    @cloud_call
    def count_reboots(self, cloud_id: CloudId) -> int:
        return int(self._get(CloudKind.SERVER, cloud_id).attributes.get("reboots", 0))

    @cloud_call
    def console_output(self, cloud_id: CloudId, *, lines: int) -> str:
        server = self._get(CloudKind.SERVER, cloud_id)
        return "\n".join([f"{server.attributes['hostname']} line {number}" for number in range(lines)][-lines:])

    @cloud_call
    def attach_port(self, server_cloud_id: CloudId, port_cloud_id: CloudId) -> None:
        server = self._get(CloudKind.SERVER, server_cloud_id)
        port = self._get(CloudKind.PORT, port_cloud_id)
        refuse_if(port.attributes["server"] not in (None, server_cloud_id), "The port is at another server.")
        if port.attributes["server"] is None:
            refuse_if(server.next_status is not None, "The instance is in transition.")
            port.attributes["server"] = server_cloud_id
            port.status = "ACTIVE"

    @cloud_call
    def detach_port(self, server_cloud_id: CloudId, port_cloud_id: CloudId) -> None:
        port = self._get(CloudKind.PORT, port_cloud_id)
        if port.attributes["server"] == server_cloud_id:
            port.attributes["server"] = None
            port.status = "DOWN"

    @cloud_call
    def delete_server(self, reference: Reference) -> bool:
        def delete(server: FakeObject) -> None:
            if server.next_status != "":
                server.attributes["task_state"] = "deleting"
                for port in self._list(CloudKind.PORT):
                    if port.attributes.get("server") == server.cloud_id:
                        port.attributes["server"] = None
                        port.status = "DOWN"
                for volume in self._list(CloudKind.VOLUME):
                    if any(each.server_cloud_id == server.cloud_id for each in volume.attributes["attachments"]):
                        volume.attributes["attachments"] = []
                        volume.status, volume.next_status = "available", None
                self.state.settle(server, "")

        return self._delete(CloudKind.SERVER, reference, delete)

    def _change_power(self, cloud_id: CloudId, status: str, task_state: str) -> None:
        server = self._get(CloudKind.SERVER, cloud_id)
        if server.status == status or server.next_status == status:
            return
        refuse_if(server.status not in {"ACTIVE", "SHUTOFF"}, f"The instance is in vm_state {server.status}.")
        server.attributes["task_state"] = task_state
        self.state.settle(server, status)

    def _server(self, item: FakeObject) -> CloudServer:
        status = str(item.status)
        addresses = []
        for port in self._list(CloudKind.PORT):
            if port.attributes.get("server") == item.cloud_id:
                network = self.state.objects[port.attributes["network"]]
                for fixed in port.attributes["fixed_ips"]:
                    version = 6 if ":" in fixed.address else 4
                    addresses.append(ServerAddress(network.name, fixed.address, version))
        return CloudServer(
            cloud_id=item.cloud_id,
            status=status,
            power=_POWER.get(status, status.lower()),
            task_state=item.attributes.get("task_state") if item.next_status is not None else None,
            fault=item.attributes.get("fault") if status == "ERROR" else None,
            addresses=tuple(addresses) if status != "BUILD" else (),
        )


class FakeVolumePart(FakeProjectPart):
    """As `VolumeCloud`."""

    @cloud_call
    def ensure_volume(
        self,
        id_: UUID,
        *,
        size_gib: int,
        description: str,
        source: VolumeSource | None = None,
        volume_type: str | None = None,
    ) -> CloudVolume:
        if source is not None and source.kind == "volume":
            self._get_volume(source.cloud_id)
        item, is_new = self._ensure(CloudKind.VOLUME, id_, status="creating", size_gib=size_gib, attachments=[])
        item.attributes["description"] = description
        if is_new:
            item.attributes["clears"] = (
                volume_type is not None and self.state.volume_types[volume_type.removeprefix("type-")]
            )
            self.state.pool.allocate(item.cloud_id, size_gib)
            if source is not None:
                self.state.pool.copy(source.cloud_id, item.cloud_id)
            self.state.settle(item, "available")
        return self._volume(item)

    @cloud_call
    def get_volume(self, cloud_id: CloudId) -> CloudVolume:
        return self._volume(self._get_volume(cloud_id))

    @cloud_call
    def extend_volume(self, cloud_id: CloudId, *, size_gib: int) -> CloudVolume:
        volume = self._get_volume(cloud_id)
        if volume.attributes["size_gib"] < size_gib and volume.status != "extending":
            refuse_if(volume.status not in {"available", "in-use"}, f"Volume status is {volume.status}.")
            volume.attributes["size_gib"] = size_gib
            self.state.pool.allocate(volume.cloud_id, size_gib)
            before, volume.status = str(volume.status), "extending"
            self.state.settle(volume, before)
        return self._volume(volume)

    @cloud_call
    def attach_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> CloudVolume:
        server = self._get(CloudKind.SERVER, server_cloud_id)
        volume = self._get_volume(volume_cloud_id)
        attachments = volume.attributes["attachments"]
        if any(each.server_cloud_id == server.cloud_id for each in attachments):
            return self._volume(volume)
        if attachments or volume.status != "available":
            raise CloudConflict(f"volume {volume_cloud_id} is {volume.status}.")
        refuse_if(server.status not in {"ACTIVE", "SHUTOFF"}, f"The instance is in vm_state {server.status}.")
        attachments.append(CloudAttachment(server.cloud_id, self._free_device(server.cloud_id), str(uuid4()), None))
        volume.status = "attaching"
        self.state.settle(volume, "in-use")
        return self._volume(volume)

    @cloud_call
    def detach_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> CloudVolume:
        volume = self._get_volume(volume_cloud_id)
        is_there = any(each.server_cloud_id == server_cloud_id for each in volume.attributes["attachments"])
        if is_there and volume.status != "detaching":
            refuse_if(volume.status != "in-use", f"Volume status is {volume.status}.")
            volume.status = "detaching"
            self.state.settle(volume, "available")
        return self._volume(volume)

    @cloud_call
    def list_server_volumes(self, server_cloud_id: CloudId) -> set[CloudId]:
        return self._held_by(self._get(CloudKind.SERVER, server_cloud_id))

    @cloud_call
    def list_holders(self, volume_cloud_id: CloudId) -> set[CloudId]:
        return {server.cloud_id for server in self._list(CloudKind.SERVER) if volume_cloud_id in self._held_by(server)}

    @cloud_call
    def sever_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> None:
        server = self._get(CloudKind.SERVER, server_cloud_id)
        refuse_if(bool(server.attributes.get("is_stubborn")), "Invalid volume.")
        server.attributes.get("held", set()).discard(volume_cloud_id)

    @cloud_call
    def open_volume(self, cloud_id: CloudId) -> MemoryDevice:
        volume = self._get_volume(cloud_id)
        if not volume.attributes.get("is_held"):
            refuse_if(volume.status != "available", f"The volume is {volume.status}.")
        self.state.pool.allocate(cloud_id, volume.attributes["size_gib"])
        device = self.state.pool.device(cloud_id)
        volume.attributes["is_held"] = True
        volume.status = "attaching"
        return device

    @cloud_call
    def release_volume(self, cloud_id: CloudId) -> None:
        volume = self._get_volume(cloud_id)
        if volume.attributes.pop("is_held", False):
            volume.status = "available"

    @cloud_call
    def delete_volume(self, reference: Reference) -> bool:
        def delete(volume: FakeObject) -> None:
            if volume.next_status == "":
                return
            refuse_if(volume.status not in {"available", "error"}, f"Volume status is {volume.status}.")
            snapshots = self._list(CloudKind.SNAPSHOT)
            refuse_if(any(each.attributes.get("volume") == volume.cloud_id for each in snapshots), "It has snapshots.")
            volume.status = "deleting"
            self.state.settle(volume, "")

        return self._delete(CloudKind.VOLUME, reference, delete)

    @cloud_call
    def delete_snapshot(self, reference: Reference) -> bool:
        return self._delete(CloudKind.SNAPSHOT, reference, self.state.remove)

    def _get_volume(self, cloud_id: CloudId) -> FakeObject:
        volume = self._get(CloudKind.VOLUME, cloud_id)
        if volume.status == "available":
            volume.attributes["attachments"] = []
        return volume

    def _free_device(self, server_cloud_id: CloudId) -> str:
        others = [
            each
            for volume in self._list(CloudKind.VOLUME)
            for each in volume.attributes["attachments"]
            if each.server_cloud_id == server_cloud_id
        ]
        return f"/dev/vd{chr(ord('b') + len(others))}"

    def _volume(self, item: FakeObject) -> CloudVolume:
        is_shown = item.status in {"in-use", "detaching"}
        return CloudVolume(
            cloud_id=item.cloud_id,
            status=str(item.status),
            size_gib=item.attributes["size_gib"],
            attachments=tuple(item.attributes["attachments"]) if is_shown else (),
        )
