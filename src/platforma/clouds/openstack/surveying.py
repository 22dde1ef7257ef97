"""Looking at a project as a whole."""

from typing import Any

from platforma.clouds.openstack.kinds import (
    FLOATING_IPS,
    KINDS,
    NETWORKS,
    PORTS,
    ROUTERS,
    SECURITY_GROUPS,
    SERVERS,
    SUBNETS,
    VOLUMES,
    is_infrastructure,
    required,
)
from platforma.clouds.openstack.ownership import ProjectPart
from platforma.clouds.openstack.resources import CloudId
from platforma.clouds.openstack.security import pairs_of, present_traffic
from platforma.clouds.openstack.survey import CloudSurvey, SurveyedPort, SurveyedRouter, SurveyedShare
from platforma.clouds.openstack.translation import at_border


class SurveyPart(ProjectPart):
    """As `SurveyCloud`."""

    @at_border
    def survey(self) -> CloudSurvey:
        found = {kind: self._list(kind) for kind in KINDS.values()}
        ports = [item for item in found[PORTS] if not is_infrastructure(item)]
        found[PORTS] = ports
        return CloudSurvey(
            objects={kind.kind: tuple(kind.observed(item) for item in items) for kind, items in found.items()},
            rules={
                str(group.id): {str(rule["id"]): present_traffic(rule) for rule in group.security_group_rules or []}
                for group in found[SECURITY_GROUPS]
            },
            ports=tuple(_port(item) for item in ports),
            routers=tuple(_router(item) for item in found[ROUTERS]),
            shares=tuple(
                _share(policy)
                for policy in self._connection.network.rbac_policies()
                if policy.project_id == self.project_id
            ),
            floating_ips={str(item.id): item.port_id or None for item in found[FLOATING_IPS]},
            unsecured_networks=frozenset(
                str(item.id) for item in found[NETWORKS] if item.is_port_security_enabled is False
            ),
            host_routes={str(item.id): _routes(item.host_routes) for item in found[SUBNETS] if item.host_routes},
            attached=frozenset(
                (str(item.id), str(each["server_id"]))
                for item in found[VOLUMES]
                for each in item.attachments or []
                if each.get("server_id")
            ),
            held=frozenset((volume, str(item.id)) for item in found[SERVERS] for volume in held_by(item)),
        )

    @at_border
    def delete_share(self, cloud_id: CloudId) -> bool:
        for policy in self._connection.network.rbac_policies():
            if policy.id == cloud_id and policy.project_id == self.project_id:
                self._connection.network.delete_rbac_policy(policy.id, ignore_missing=True)
        return True


def held_by(server: Any) -> list[str]:
    """Return the volumes that a server has in Nova's eyes."""
    return [str(each["id"]) for each in server.attached_volumes or []]


def _port(item: Any) -> SurveyedPort:
    return SurveyedPort(
        cloud_id=required(item.id, "id"),
        is_secured=item.is_port_security_enabled is not False,
        group_cloud_ids=frozenset(item.security_group_ids or []),
        allowed_addresses=tuple(pairs_of(item)),
        dhcp_options=tuple(sorted(f"{each['opt_name']}={each['opt_value']}" for each in item.extra_dhcp_opts or [])),
    )


def _router(item: Any) -> SurveyedRouter:
    return SurveyedRouter(
        cloud_id=required(item.id, "id"),
        has_external_gateway=bool((item.external_gateway_info or {}).get("network_id")),
        routes=_routes(item.routes),
    )


def _routes(routes: Any) -> tuple[str, ...]:
    return tuple(sorted(f"{route['destination']} via {route['nexthop']}" for route in routes or []))


def _share(policy: Any) -> SurveyedShare:
    return SurveyedShare(
        cloud_id=required(policy.id, "id"),
        object_kind=str(policy.object_type),
        object_cloud_id=str(policy.object_id),
        action=str(policy.action),
        target=str(policy.target_project_id),
    )
