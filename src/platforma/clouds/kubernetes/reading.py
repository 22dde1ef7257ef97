"""What a namespace's members want to see of it: workloads, events, and how much of the quota is in use."""

import re
from datetime import UTC, datetime
from typing import Any

from platforma.clouds.kubernetes.api import APPS, BATCH, CORE, NETWORKING, Api, Manifest
from platforma.clouds.kubernetes.manifests import QUOTA, hosts_pattern
from platforma.clouds.kubernetes.observation import title
from platforma.clouds.kubernetes.quantities import quantity
from platforma.clouds.kubernetes.resources import ClusterEvent, NamespaceSpec, QuotaUse, Workload

_MEBIBYTE = 2**20


def list_workloads(api: Api, namespace: str) -> list[Workload]:
    """Return what runs pods, by kind and name."""
    found = [
        *(_replicated(each) for kind in ("Deployment", "StatefulSet") for each in api_list(api, APPS, kind, namespace)),
        *(_daemon_set(each) for each in api_list(api, APPS, "DaemonSet", namespace)),
        *(_job(each) for each in api_list(api, BATCH, "Job", namespace) if not _has_owner(each)),
        *(_cron_job(each) for each in api_list(api, BATCH, "CronJob", namespace)),
        *(_pod(each) for each in api_list(api, CORE, "Pod", namespace) if not _has_owner(each)),
    ]
    return sorted(found, key=lambda each: (each.kind, each.name))


def list_events(api: Api, namespace: str, limit: int) -> list[ClusterEvent]:
    """Return what the cluster tells, the latest first."""
    events = [_event(each) for each in api_list(api, CORE, "Event", namespace)]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(events, key=lambda each: each.at or oldest, reverse=True)[:limit]


def quota_use(api: Api, namespace: str) -> QuotaUse:
    """Return what the quota's status says is in use."""
    found = api.find(CORE, "ResourceQuota", QUOTA, namespace)
    used = ((found or {}).get("status") or {}).get("used") or {}
    return QuotaUse(
        vcpus=float(quantity(used.get("requests.cpu", "0"))),
        ram_mib=int(quantity(used.get("requests.memory", "0")) / _MEBIBYTE),
        pods=int(quantity(used.get("pods", "0"))),
    )


def ways_past_policies(api: Api, namespace: str, spec: NamespaceSpec) -> list[str]:
    """Return a sentence for each service or ingress that leads past network policies, which admission should refuse."""
    sentences = []
    for service in api_list(api, CORE, "Service", namespace):
        of = service.get("spec") or {}
        is_outside = of.get("type", "ClusterIP") in ("NodePort", "ExternalName")
        if is_outside or of.get("externalIPs") or of.get("externalName"):
            sentences.append(f"{title(service)} leads past the namespace's policies.")
    pattern = re.compile(hosts_pattern(spec.hosts)) if spec.hosts else None
    for ingress in api_list(api, NETWORKING, "Ingress", namespace):
        hosts = [rule.get("host") for rule in (ingress.get("spec") or {}).get("rules") or ()]
        if not hosts or not all(host and pattern and pattern.fullmatch(host) for host in hosts):
            sentences.append(f"{title(ingress)} answers for hosts that are not the tenant's.")
    return sentences


def api_list(api: Api, api_version: str, kind: str, namespace: str) -> list[Manifest]:
    """Return the objects of a kind in the namespace; they say themselves of what kind they are."""
    return [{**each, "kind": kind} for each in api.list_objects(api_version, kind, namespace=namespace)]


def _replicated(value: Manifest) -> Workload:
    status, desired = value.get("status") or {}, (value.get("spec") or {}).get("replicas")
    return _workload(value, status.get("readyReplicas", 0), 1 if desired is None else desired)


def _daemon_set(value: Manifest) -> Workload:
    status = value.get("status") or {}
    return _workload(value, status.get("numberReady", 0), status.get("desiredNumberScheduled", 0))


def _job(value: Manifest) -> Workload:
    status, desired = value.get("status") or {}, (value.get("spec") or {}).get("completions") or 1
    conditions = {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}
    word = "failed" if "Failed" in conditions else "succeeded" if "Complete" in conditions else "running"
    return _workload(value, status.get("succeeded", 0), desired, word)


def _cron_job(value: Manifest) -> Workload:
    spec, active = value.get("spec") or {}, (value.get("status") or {}).get("active") or ()
    word = "suspended" if spec.get("suspend") else "running" if active else "scheduled"
    return _workload(value, len(active), len(active), word, (spec.get("jobTemplate") or {}).get("spec"))


def _pod(value: Manifest) -> Workload:
    status = value.get("status") or {}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    word = str(status.get("phase", "Unknown")).lower()
    return _workload(value, int(ready), 1, word, {"template": {"spec": value.get("spec")}})


def _workload(
    value: Manifest, ready: int, desired: int, status: str | None = None, spec: dict[str, Any] | None = None
) -> Workload:
    template = (spec or value.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    return Workload(
        kind=value["kind"],
        name=str(value["metadata"]["name"]),
        ready=int(ready or 0),
        desired=int(desired),
        status=status or ("running" if (ready or 0) >= desired else "progressing"),
        images=tuple(str(each.get("image", "")) for each in containers),
        created_at=_time(value["metadata"].get("creationTimestamp")),
    )


def _event(value: Manifest) -> ClusterEvent:
    regarding, series = value.get("involvedObject") or {}, value.get("series") or {}
    times = (series.get("lastObservedTime"), value.get("lastTimestamp"), value.get("eventTime"))
    return ClusterEvent(
        type=str(value.get("type", "Normal")),
        reason=str(value.get("reason", "")),
        object=f"{regarding.get('kind', '')}/{regarding.get('name', '')}",
        message=str(value.get("message", "")),
        count=int(series.get("count") or value.get("count") or 1),
        at=next((_time(each) for each in times if each), None),
    )


def _has_owner(value: Manifest) -> bool:
    return bool(value["metadata"].get("ownerReferences"))


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
