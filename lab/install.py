"""Debian's packages, installed into overlays of the machine's directories: the machine itself stays as it was."""

from pathlib import Path

from lab.errors import LabError
from lab.layout import OVERLAID, Layout
from lab.processes import run

PACKAGES = (
    "conntrack",
    "ebtables",
    "ipset",
    "iptables",
    "keystone",
    "mariadb-client-core",
    "mariadb-server-core",
    "neutron-dhcp-agent",
    "neutron-l3-agent",
    "neutron-linuxbridge-agent",
    "neutron-server",
    "python3-pymysql",
    "rabbitmq-server",
    "tcpdump",
)
"""Zed, the last release of which Debian 12 has the Linux bridge agents."""

_ANSWERS = "keystone keystone/configure_db boolean false\nneutron-common neutron/configure_db boolean false\n"
_SECONDS = 1200.0


def check_machine() -> None:
    """Raise LabError unless this is Debian 12."""
    words = Path("/etc/os-release").read_text()
    if "ID=debian" not in words or 'VERSION_ID="12"' not in words:
        raise LabError("The lab needs Debian 12: later releases have no Linux bridge agents.")


def mount_overlays(layout: Layout) -> None:
    """Lay the overlays over the machine's directories, for this mount namespace alone."""
    for name in OVERLAID:
        upper, work = layout.overlay / name / "upper", layout.overlay / name / "work"
        upper.mkdir(parents=True, exist_ok=True)
        work.mkdir(parents=True, exist_ok=True)
        if layout.overlay.is_relative_to(f"/{name}"):
            raise LabError(f"The lab cannot run from a checkout in /{name}.")
        options = f"lowerdir=/{name},upperdir={upper},workdir={work}"
        run("mount", "-t", "overlay", "overlay", "-o", options, f"/{name}")
    for path in ("/run", "/tmp", "/dev/shm"):
        run("mount", "-t", "tmpfs", "-o", "mode=1777" if path != "/run" else "mode=755", "tmpfs", path)
    Path("/run/lock").mkdir(mode=0o1777)


def is_installed(layout: Layout) -> bool:
    """Say whether all packages are there."""
    return layout.installed.exists() and layout.installed.read_text().split() == list(PACKAGES)


def install(layout: Layout) -> None:
    """Install the packages, with the machine's network, into the overlays that are mounted. No daemon is started."""
    policy = Path("/usr/sbin/policy-rc.d")
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run("apt-get", "-q", "update", seconds=_SECONDS, environment=quiet)
    run("debconf-set-selections", text=_ANSWERS)
    options = ("-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Options::=--force-unsafe-io")
    command = ("apt-get", "-y", "-q", *options, "install", "--no-install-recommends", *PACKAGES)
    layout.log("install").write_text(run(*command, seconds=_SECONDS, environment=quiet))
    run("apt-get", "clean")
    layout.installed.write_text("\n".join(PACKAGES) + "\n")
