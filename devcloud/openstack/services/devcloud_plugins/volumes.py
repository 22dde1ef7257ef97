"""A Cinder driver without root: a volume is a list of extents of one pool file, `<state>/cinder/pool`.

What a tenant has written stays in the extents when they are freed, unless `volume_clear` is `zero`, as on many real
back ends. A volume type says which in its extra spec `devcloud:volume_clear`; else the back end's setting counts.
"""

import os
from pathlib import Path

from cinder import interface
from cinder.volume import driver
from oslo_config import cfg

from devcloud_plugins.pool import EXTENT, Pool

GIBIBYTE = 1 << 30
CLEAR_SPEC = "devcloud:volume_clear"


@interface.volumedriver
class PoolDriver(driver.VolumeDriver):
    VERSION = "1.0"
    CI_WIKI_NAME = "none"

    def do_setup(self, context):
        self._pool = Pool(Path(cfg.CONF.state_path) / "pool")

    def check_for_setup_error(self):
        pass

    def create_volume(self, volume):
        self._pool.allocate(volume.name, volume.size * GIBIBYTE)

    def create_volume_from_snapshot(self, volume, snapshot):
        self.create_volume(volume)
        self._pool.copy(snapshot.name, volume.name)

    def create_cloned_volume(self, volume, src_vref):
        self.create_volume(volume)
        self._pool.copy(src_vref.name, volume.name)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        """Write the image's bytes as they are: converting them would ask for qemu-img and root."""
        self._write_image(context, volume, image_service, image_meta["id"])
        return {}, True

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        self._write_image(context, volume, image_service, image_id)

    def extend_volume(self, volume, new_size):
        self._pool.allocate(volume.name, new_size * GIBIBYTE)

    def delete_volume(self, volume):
        self._pool.release(volume.name, clear=self._clear_of(volume.volume_type))

    def create_snapshot(self, snapshot):
        self._pool.allocate(snapshot.name, snapshot.volume_size * GIBIBYTE)
        self._pool.copy(snapshot.volume_name, snapshot.name)

    def delete_snapshot(self, snapshot):
        self._pool.release(snapshot.name, clear=self._clear_of(snapshot.volume.volume_type))

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kwargs):
        return {
            "driver_volume_type": "local",
            "data": {
                "device_path": os.fspath(self._pool.path),
                "extents": self._pool.ranges(volume.name),
                "access_mode": "rw",
            },
        }

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    def _update_volume_stats(self):
        capacity = self._pool.capacity * EXTENT // GIBIBYTE
        self._stats = {
            "volume_backend_name": "pool",
            "vendor_name": "devcloud",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": capacity,
            "free_capacity_gb": capacity,
            "reserved_percentage": 0,
            "QoS_support": False,
            "multiattach": True,
        }

    def _clear_of(self, volume_type):
        specs = (volume_type.extra_specs or {}) if volume_type else {}
        return specs.get(CLEAR_SPEC) or self.configuration.safe_get("volume_clear") or "none"

    def _write_image(self, context, volume, image_service, image_id):
        self.create_volume(volume)
        offset = 0
        for chunk in image_service.download(context, image_id):
            self._pool.write(volume.name, offset, chunk)
            offset += len(chunk)
