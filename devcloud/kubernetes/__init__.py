"""A stand-in for a Kubernetes API server: the subset that Platforma uses, over HTTPS, with the real one's semantics.

No package index has an API server, so this is ours. It says of itself what it is: in `/version`, in a header of every
answer, and on its root page. What it does not do is in README.md.

    python -m devcloud.kubernetes up --state DIR [--simulate-enforcement]
    python -m devcloud.kubernetes status --state DIR
    python -m devcloud.kubernetes down --state DIR [--wipe]
"""

from devcloud.kubernetes.cluster import Cluster, down, up

__all__ = ["Cluster", "down", "up"]
