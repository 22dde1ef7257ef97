"""An OpenStack in memory, that answers as the real client does and fails when it is told to."""

from platforma.clouds.openstack.fake.administration import FakeAdministration
from platforma.clouds.openstack.fake.cloud import FakeCloud
from platforma.clouds.openstack.fake.project import FakeProjectCloud
from platforma.clouds.openstack.fake.state import FakeCall, FakeObject

__all__ = ["FakeAdministration", "FakeCall", "FakeCloud", "FakeObject", "FakeProjectCloud"]
