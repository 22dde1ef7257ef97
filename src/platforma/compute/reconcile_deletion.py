"""A server deleted: its volumes let go first, then the server, then its ports."""

from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound
from platforma.clouds.openstack.protocol import ProjectCloud
from platforma.clouds.openstack.resources import Reference
from platforma.compute.views import AttachedView, ServerView
from platforma.operations.reconciling import Step, again, gone

_LETS_GO = frozenset({"ACTIVE", "SHUTOFF"})
"""Nova's states in which a server gives up a volume. In any other, Nova releases it with the server."""


def delete_server(view: ServerView, cloud: ProjectCloud) -> Step:
    """Take one step of a server's deletion. What was never made is gone."""
    if view.attached and _lets_go(view, cloud):
        for attached in view.attached:
            step = _detach(view, attached, cloud)
            if step is not None:
                return step
    references: list[Reference] = [view.id, *(id_ for id_ in (view.cloud_id, view.failed_cloud_id) if id_)]
    if not all(cloud.delete_server(reference) for reference in references):
        return again(1, "Waiting for the server to go", progress=50)
    for attached in view.attached:
        if _is_at_server(view, attached, cloud):
            raise CloudConflict(f"Volume {attached.volume_name} is still held by the server that was deleted.")
    own = [port for port in view.ports if port.goes_with_server]
    ports: list[Reference] = [port.id for port in own]
    ports += [port.cloud_id for port in own if port.cloud_id]
    if not all(cloud.delete_port(reference) for reference in ports):
        return again(1, "Waiting for the ports to go", progress=80)
    return gone(deletions=[attached.row for attached in view.attached])


def _lets_go(view: ServerView, cloud: ProjectCloud) -> bool:
    if view.cloud_id is None:
        return False
    try:
        return cloud.get_server(view.cloud_id).status in _LETS_GO
    except CloudNotFound:
        return False


def _detach(view: ServerView, attached: AttachedView, cloud: ProjectCloud) -> Step | None:
    """Detach a volume that is at the server, and forget it when it is not."""
    if _is_at_server(view, attached, cloud):
        cloud.detach_volume(view.cloud_id or "", attached.volume_cloud_id or "")
        return again(1, f"Detaching volume {attached.volume_name}", progress=20)
    if _is_on_its_way(attached, cloud):
        return None
    return again(0, f"Detached volume {attached.volume_name}", progress=30, deletions=[attached.row])


def _is_at_server(view: ServerView, attached: AttachedView, cloud: ProjectCloud) -> bool:
    if attached.volume_cloud_id is None:
        return False
    try:
        volume = cloud.get_volume(attached.volume_cloud_id)
    except CloudNotFound:
        return False
    return any(each.server_cloud_id == view.cloud_id for each in volume.attachments)


def _is_on_its_way(attached: AttachedView, cloud: ProjectCloud) -> bool:
    """Say whether the volume is about to be attached: then it is let go with the server."""
    if attached.volume_cloud_id is None:
        return False
    try:
        return cloud.get_volume(attached.volume_cloud_id).status in ("reserved", "attaching")
    except CloudNotFound:
        return False
