"""How times, sizes and states are said on a page."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from platforma.kit.clock import utc_now
from platforma.operations.models import ACCESS, OPERATOR, SETUP


class Badge(NamedTuple):
    """A state in a word, a tone for its dot, and whether it is about to change."""

    word: str
    tone: str
    is_moving: bool = False


_STATUS = {
    "pending": Badge("Waiting", "busy", True),
    "creating": Badge("Creating", "busy", True),
    "updating": Badge("Updating", "busy", True),
    "deleting": Badge("Deleting", "busy", True),
    "active": Badge("Active", "good"),
    "error": Badge("Error", "bad"),
    "queued": Badge("Queued", "busy", True),
    "running": Badge("Running", "busy", True),
    "succeeded": Badge("Succeeded", "good"),
    "failed": Badge("Failed", "bad"),
    "cancelled": Badge("Cancelled", "off"),
    "attached": Badge("Attached", "good"),
    "detaching": Badge("Detaching", "busy", True),
    "invited": Badge("Invited", "busy"),
    "suspended": Badge("Suspended", "bad"),
}

_VERBS = {
    "create": "Create",
    "change": "Change",
    "delete": "Delete",
    "add_rule": "Add rule to",
    "delete_rule": "Delete rule of",
    "attach": "Attach",
    "detach": "Detach",
    "extend": "Extend",
    "start": "Start",
    "stop": "Stop",
    "reboot": "Reboot",
    "console_output": "Fetch console output of",
    "open": "Open traffic to",
    "close": "Close traffic to",
    "read": "Look into",
    "mend": "Mend",
    "issue": "Issue",
    "revoke": "Revoke",
}

_DOING = {
    "create": "Creating",
    "delete": "Deleting",
    "attach": "Attaching",
    "detach": "Detaching",
    "extend": "Extending",
    "start": "Starting",
    "stop": "Stopping",
    "reboot": "Rebooting",
    "console_output": "Reading console",
    "read": "Looking",
    "mend": "Mending",
    "issue": "Issuing",
    "revoke": "Revoking",
}


_ACTS = {
    "session.create": "Signed in",
    "session.end": "Signed out",
    "session.refuse": "Sign-in refused",
    "session.revoke": "End a session",
    "session.revoke_all": "End all sessions",
    "session.list": "Look at sessions",
    "password.change": "Changed the password",
    "invitation.accept": "Accepted the invitation",
    "member.invite": "Invite member",
    "member.list": "Look at members",
    "member.suspend": "Suspend member",
    "member.resume": "Resume member",
    "operation.retry": "Try again",
    "operation.read": "Look at the operation",
    "kubeconfig.collect": "Collect kubeconfig",
    "quota.read": "Look at quotas",
    "quota.change": "Change quotas",
    "tenant.create": "Make the organisation",
    "tenant.read": "Look at the organisation",
    "tenant.suspend": "Suspend the organisation",
    "tenant.resume": "Resume the organisation",
    "tenant.retry": "Try the onboarding or removal again",
    "tenant.offboard": "Remove the organisation",
}


def doing(operation: Any) -> Badge:
    """Return the badge of a resource at which an operation is under way."""
    return Badge(_DOING.get(operation.action.partition(".")[2], "Updating"), "busy", True)


def badge(status: str) -> Badge:
    """Return the badge of a status; an unknown one is shown as it is."""
    return _STATUS.get(status) or Badge(status.replace("_", " ").capitalize(), "off")


def server_badge(server: Any) -> Badge:
    """Return the badge of a server: what it does matters more than that it exists."""
    if server.status != "active":
        return badge(server.status)
    if server.power_state == "running":
        return Badge("Running", "good")
    if server.power_state == "stopped":
        return Badge("Stopped", "off")
    return Badge((server.power_state or "active").capitalize(), "off")


def kubeconfig_badge(kubeconfig: Any, now: datetime | None = None) -> Badge:
    """Return the badge of an issued kubeconfig, whose token ends by itself."""
    if kubeconfig.status == "active" and kubeconfig.expires_at <= (now or utc_now()):
        return Badge("Expired", "off")
    return badge(kubeconfig.status)


def is_moving(status: str) -> bool:
    """Say whether something will change by itself, so that the page keeps looking."""
    return badge(status).is_moving


def action_words(action: str, kind: str | None = None) -> str:
    """Say an operation's action for a person: `security_group.add_rule` is "Add rule to security group"."""
    subject, _, verb = action.partition(".")
    if subject == ACCESS:
        return "Revoke kubeconfigs that are not allowed any more"
    said = _VERBS.get(verb) or verb.replace("_", " ").capitalize()
    return f"{said} {(kind or subject).replace('_', ' ')}"


def act_words(action: str) -> str:
    """Say an act of the audit log for a person: `session.create` is "Signed in"."""
    return _ACTS.get(action) or action_words(action)


def actor_words(actor: str) -> str:
    """Say who did or asked for something: a member by e-mail, else the provider or the platform itself."""
    if actor == SETUP:
        return "The platform"
    return f"Your provider ({actor.removeprefix(OPERATOR)})" if actor.startswith(OPERATOR) else actor


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Say how long ago something was, or how soon it will be."""
    seconds = ((now or utc_now()) - moment).total_seconds()
    words = _span(abs(seconds))
    if words is None:
        return "just now"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def _span(seconds: float) -> str | None:
    for size, unit in ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return None


def exactly(moment: datetime) -> str:
    """Write a moment out, in UTC."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def memory(mebibytes: int) -> str:
    """Write an amount of memory: 2048 is "2 GiB"."""
    gibibytes = mebibytes / 1024
    return f"{mebibytes} MiB" if gibibytes < 1 else f"{gibibytes:g} GiB"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: "1 rule", "2 rules"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def ports(rule: Any) -> str:
    """Write the ports of a security group's rule, or type and code of ICMP."""
    low, high = rule.port_range_min, rule.port_range_max
    if low is None:
        return "All"
    if rule.protocol in ("icmp", "ipv6-icmp"):
        return f"Type {low}" if high is None else f"Type {low}, code {high}"
    return str(low) if low == high else f"{low}–{high}"


def service_words(rule: Any) -> str:
    """Say what a rule admits: "TCP 443", "ICMP", "Everything"."""
    if rule.protocol is None:
        return "Everything"
    said = ports(rule)
    return rule.protocol.upper() if said == "All" else f"{rule.protocol.upper()} {said}"


def rule_words(rule: Any) -> str:
    """Say all of a rule in one line: "In: TCP 22 from 203.0.113.0/24"."""
    is_in = rule.direction == "ingress"
    peer = "servers of a group" if rule.remote_group_id else rule.remote_ip_prefix or "anywhere"
    said = f"{'In' if is_in else 'Out'}: {service_words(rule)} {'from' if is_in else 'to'} {peer} ({rule.ethertype})"
    return f"{said}, “{rule.description}”" if rule.description else said


def label_words(labels: Mapping[str, str]) -> str:
    """Write labels of pods as kubectl does: "app=web,tier=front"."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def file_name(name: str) -> str:
    """Return a name that every system takes for a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "key"
