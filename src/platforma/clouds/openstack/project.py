"""The tenant's project as a whole."""

from platforma.clouds.openstack.compute import ComputePart
from platforma.clouds.openstack.kinds import KINDS, is_infrastructure
from platforma.clouds.openstack.network import NetworkPart
from platforma.clouds.openstack.resources import CloudKind, CloudObject
from platforma.clouds.openstack.security import SecurityPart
from platforma.clouds.openstack.surveying import SurveyPart
from platforma.clouds.openstack.translation import at_border
from platforma.clouds.openstack.volume import VolumePart


class OpenStackProject(NetworkPart, SecurityPart, ComputePart, VolumePart, SurveyPart):
    """As `ProjectCloud`."""

    @at_border
    def inventory(self) -> dict[CloudKind, list[CloudObject]]:
        return {
            kind.kind: [kind.observed(item) for item in self._list(kind) if not is_infrastructure(item)]
            for kind in KINDS.values()
        }
