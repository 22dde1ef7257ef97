"""The fake project as a whole."""

from platforma.clouds.openstack.fake.compute import FakeComputePart, FakeVolumePart
from platforma.clouds.openstack.fake.network import FakeNetworkPart, FakeSecurityPart
from platforma.clouds.openstack.fake.state import cloud_call
from platforma.clouds.openstack.fake.survey import FakeSurveyPart
from platforma.clouds.openstack.resources import CloudKind, CloudObject


class FakeProjectCloud(FakeNetworkPart, FakeSecurityPart, FakeComputePart, FakeVolumePart, FakeSurveyPart):
    """As `ProjectCloud`."""

    @cloud_call
    def inventory(self) -> dict[CloudKind, list[CloudObject]]:
        return {kind: [item.observed() for item in self._list(kind)] for kind in CloudKind}
