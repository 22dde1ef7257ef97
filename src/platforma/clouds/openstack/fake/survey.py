"""The fake project as a whole."""

from typing import Any

from platforma.clouds.openstack.fake.parts import FakeProjectPart
from platforma.clouds.openstack.fake.state import cloud_call
from platforma.clouds.openstack.resources import CloudId, CloudKind
from platforma.clouds.openstack.rules import wanted_traffic
from platforma.clouds.openstack.survey import CloudSurvey, SurveyedPort, SurveyedRouter, SurveyedShare


class FakeSurveyPart(FakeProjectPart):
    """As `SurveyCloud`. A network's `shares` are a dictionary from the grant's id to whom it is given."""

    @cloud_call
    def survey(self) -> CloudSurvey:
        found = {kind: self._list(kind) for kind in CloudKind}
        return CloudSurvey(
            objects={kind: tuple(item.observed() for item in items) for kind, items in found.items()},
            rules={
                group.cloud_id: {
                    id_: wanted_traffic(rule)
                    for name in ("rules", "foreign_rules")
                    for id_, rule in group.attributes.get(name, {}).items()
                }
                for group in found[CloudKind.SECURITY_GROUP]
            },
            ports=tuple(_port(item.cloud_id, item.attributes) for item in found[CloudKind.PORT]),
            routers=tuple(
                SurveyedRouter(
                    item.cloud_id,
                    item.attributes.get("address") is not None,
                    tuple(item.attributes.get("routes", ())),
                )
                for item in found[CloudKind.ROUTER]
            ),
            shares=tuple(
                SurveyedShare(id_, "network", network.cloud_id, "access_as_shared", target)
                for network in found[CloudKind.NETWORK]
                for id_, target in network.attributes.get("shares", {}).items()
            ),
            floating_ips={item.cloud_id: item.attributes.get("port") for item in found[CloudKind.FLOATING_IP]},
            unsecured_networks=frozenset(
                item.cloud_id for item in found[CloudKind.NETWORK] if not item.attributes.get("secured", True)
            ),
            host_routes={
                item.cloud_id: tuple(item.attributes["host_routes"])
                for item in found[CloudKind.SUBNET]
                if item.attributes.get("host_routes")
            },
            attached=frozenset(
                (volume.cloud_id, each.server_cloud_id)
                for volume in found[CloudKind.VOLUME]
                if volume.status != "available"
                for each in volume.attributes["attachments"]
            ),
            held=frozenset(
                (volume, server.cloud_id) for server in found[CloudKind.SERVER] for volume in self._held_by(server)
            ),
        )

    @cloud_call
    def delete_share(self, cloud_id: CloudId) -> bool:
        for network in self.state.objects.values():
            if network.project_id == self.project_id and cloud_id in network.attributes.get("shares", {}):
                del network.attributes["shares"][cloud_id]
        return True


def _port(cloud_id: CloudId, attributes: dict[str, Any]) -> SurveyedPort:
    return SurveyedPort(
        cloud_id,
        attributes.get("secured", True),
        frozenset(attributes.get("groups", ())),
        tuple(attributes.get("allowed", ())),
        tuple(attributes.get("dhcp_options", ())),
    )
