"""Kubeconfig files that operators hand in: only those are taken that name their secrets and run nothing.

A kubeconfig may name a program to run (`exec`), or files to read: on a worker that would be a program and files of
the worker's. See https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from platforma.kit.problems import Invalid

LONGEST_FILE = 64 * 1024

EXAMPLE_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: example
contexts:
- name: example
  context: {cluster: example, user: example}
clusters:
- name: example
  cluster: {server: "https://cluster.example:6443", certificate-authority-data: bm90IG9uZQ==}
users:
- name: example
  user: {token: not-one}
"""
"""A kubeconfig of the documentation, which leads nowhere."""

_CLUSTER = frozenset({"server", "certificate-authority-data", "tls-server-name"})
_USER = frozenset({"token", "client-certificate-data", "client-key-data"})
_FLATTEN = "kubectl config view --minify --flatten --raw writes one that stands by itself."


class BadKubeconfig(Invalid):
    type = "bad-kubeconfig"
    title = "This kubeconfig cannot be used"


def read_server(text: str) -> str:
    """Return the address of the API server that a kubeconfig leads to; raises BadKubeconfig.

    It must have one current context, of a cluster at an HTTPS address with its certificate authority and a user with a
    token or a client certificate, all of them in the file itself.
    """
    if len(text) > LONGEST_FILE:
        raise BadKubeconfig(f"It is longer than {LONGEST_FILE} characters.")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        raise BadKubeconfig("It is not YAML.") from None
    if not isinstance(document, dict) or document.get("kind") != "Config":
        raise BadKubeconfig("It is no kubeconfig: its kind is not Config.")
    context = _named(document, "contexts", document.get("current-context"), "context")
    cluster = _named(document, "clusters", context.get("cluster"), "cluster")
    user = _named(document, "users", context.get("user"), "user")
    _check_fields("cluster", cluster, _CLUSTER)
    _check_fields("user", user, _USER)
    if not (user.get("token") or (user.get("client-certificate-data") and user.get("client-key-data"))):
        raise BadKubeconfig(f"Its user has neither a token nor a client certificate with its key. {_FLATTEN}")
    return _server(cluster)


def _named(document: Mapping[str, Any], section: str, name: object, kind: str) -> dict[str, Any]:
    """Return one entry of a section by its name."""
    entries = document.get(section)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            return dict(entry[kind])
    raise BadKubeconfig(f"It has no {kind} named {name!r}, which its current context needs.")


def _check_fields(kind: str, entry: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(str(field) for field, value in entry.items() if field not in known and value)
    if unknown:
        raise BadKubeconfig(f"Its {kind} has {', '.join(unknown)[:200]}, which is not taken. {_FLATTEN}")
    wrong = sorted(str(field) for field, value in entry.items() if field in known and not isinstance(value, str))
    if wrong:
        raise BadKubeconfig(f"Its {kind} has no text in {', '.join(wrong)}.")


def _server(cluster: Mapping[str, Any]) -> str:
    server = str(cluster.get("server", ""))
    try:
        parts = urlsplit(server)
        is_plain = parts.hostname and not (parts.username or parts.query or parts.fragment) and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or not server.isprintable() or parts.scheme != "https":
        raise BadKubeconfig("Its server is not an address that begins with https://.")
    if not cluster.get("certificate-authority-data"):
        raise BadKubeconfig(f"Its cluster has no certificate-authority-data to know the server by. {_FLATTEN}")
    return server
