"""A Cinder driver without root: a volume is a sparse file in `<state>/cinder/volumes`.

Sizes are kept and copies are made, so what somebody writes into a volume's file is in its snapshots
and clones, and gone with the volume. Deleting unlinks the file; a new one reads as zeroes.
"""

import errno
import os
from pathlib import Path

from cinder import interface
from cinder.volume import driver
from oslo_config import cfg

GIBIBYTE = 1 << 30
CHUNK = 1 << 20


@interface.volumedriver
class SparseFileDriver(driver.VolumeDriver):
    VERSION = "1.0"
    CI_WIKI_NAME = "none"

    def do_setup(self, context):
        self._directory = Path(cfg.CONF.state_path) / "volumes"
        self._directory.mkdir(parents=True, exist_ok=True)

    def check_for_setup_error(self):
        pass

    def create_volume(self, volume):
        self._truncate(volume.name, volume.size)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(snapshot.name, volume.name)
        self._truncate(volume.name, volume.size)

    def create_cloned_volume(self, volume, src_vref):
        self._copy(src_vref.name, volume.name)
        self._truncate(volume.name, volume.size)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        """Claim the image is cloned: downloading would ask for qemu-img and root."""
        self._truncate(volume.name, volume.size)
        return {}, True

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        self._truncate(volume.name, volume.size)

    def extend_volume(self, volume, new_size):
        self._truncate(volume.name, new_size)

    def delete_volume(self, volume):
        self._path(volume.name).unlink(missing_ok=True)

    def create_snapshot(self, snapshot):
        self._copy(snapshot.volume_name, snapshot.name)

    def delete_snapshot(self, snapshot):
        self._path(snapshot.name).unlink(missing_ok=True)

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kwargs):
        return {
            "driver_volume_type": "local",
            "data": {"device_path": str(self._path(volume.name)), "access_mode": "rw"},
        }

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    def _update_volume_stats(self):
        self._stats = {
            "volume_backend_name": "sparse",
            "vendor_name": "devcloud",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": 10000,
            "free_capacity_gb": 10000,
            "reserved_percentage": 0,
            "QoS_support": False,
            "multiattach": True,
        }

    def _path(self, name):
        return self._directory / name

    def _truncate(self, name, gibibytes):
        with self._path(name).open("ab") as file:
            file.truncate(gibibytes * GIBIBYTE)

    def _copy(self, source, target):
        """Copy the written parts only; holes stay holes."""
        with self._path(source).open("rb") as reader, self._path(target).open("wb") as writer:
            size = os.fstat(reader.fileno()).st_size
            writer.truncate(size)
            position = 0
            while position < size:
                try:
                    position = os.lseek(reader.fileno(), position, os.SEEK_DATA)
                except OSError as error:
                    if error.errno == errno.ENXIO:  # nothing but a hole from here to the end
                        return
                    raise
                end = os.lseek(reader.fileno(), position, os.SEEK_HOLE)
                while position < end:
                    data = os.pread(reader.fileno(), min(CHUNK, end - position), position)
                    os.pwrite(writer.fileno(), data, position)
                    position += len(data)
