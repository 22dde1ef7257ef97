"""Ways into a cluster: what a kubeconfig holds, without the files and programs that a kubeconfig may name."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

import yaml

from platforma.clouds.kubernetes.resources import IssuedKubeconfig

_NOT_ONE = "This is not a credential of a Kubernetes cluster."


@dataclass(frozen=True, slots=True)
class ClusterCredential:
    """Where an API server is, how to know it, and a token or a client certificate (PEM) to be known by."""

    server: str
    certificate_authority: str | None = None
    tls_server_name: str | None = None
    token: str | None = field(default=None, repr=False)
    client_certificate: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def to_bytes(self) -> bytes:
        """Return it as JSON, ready for sealing."""
        content = asdict(self)
        content["expires_at"] = self.expires_at and self.expires_at.isoformat()
        return json.dumps(content).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ClusterCredential":
        """Return what `to_bytes` has written; raises ValueError for anything else, without quoting it."""
        try:
            content = json.loads(raw)
            if content["expires_at"] is not None:
                content["expires_at"] = datetime.fromisoformat(content["expires_at"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(_NOT_ONE) from None
        texts = [value for name, value in content.items() if name != "expires_at" and value is not None]
        is_complete = set(content) == {each.name for each in fields(cls)} and isinstance(content["server"], str)
        if not is_complete or not all(isinstance(text, str) for text in texts):
            raise ValueError(_NOT_ONE)
        return cls(**content)

    @classmethod
    def from_kubeconfig(cls, text: str) -> "ClusterCredential":
        """Return what the current context of a kubeconfig leads to; raises ValueError, without quoting secrets.

        It must hold everything itself: files and programs that it names are neither read nor run.
        """
        try:
            document = yaml.safe_load(text)
            context = _entry(document, "context", document["current-context"])
            cluster = _entry(document, "cluster", context["cluster"])
            user = _entry(document, "user", context["user"])
            credential = cls(
                server=cluster["server"],
                certificate_authority=_decoded(cluster, "certificate-authority-data"),
                tls_server_name=cluster.get("tls-server-name"),
                token=user.get("token"),
                client_certificate=_decoded(user, "client-certificate-data"),
                client_key=_decoded(user, "client-key-data"),
            )
        except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError):
            raise ValueError("This is not a kubeconfig with a current context.") from None
        if not credential.token and not (credential.client_certificate and credential.client_key):
            raise ValueError("The kubeconfig holds neither a token nor a client certificate with its key.")
        if cluster.get("insecure-skip-tls-verify"):
            raise ValueError("The kubeconfig asks not to check who the API server is.")
        return credential


def render_kubeconfig(issued: IssuedKubeconfig, namespaces: Mapping[str, str], *, cluster_name: str) -> str:
    """Return a kubeconfig with a context for each namespace, the first of them current.

    `namespaces` has the member's word for each as key, and the name that it bears in the cluster as value.
    """
    cluster: dict[str, Any] = {"server": issued.server}
    if issued.certificate_authority is not None:
        cluster["certificate-authority-data"] = base64.b64encode(issued.certificate_authority.encode()).decode()
    contexts = [
        {"name": shown, "context": {"cluster": cluster_name, "user": "platforma", "namespace": name}}
        for shown, name in namespaces.items()
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": "platforma", "user": {"token": issued.token}}],
        "contexts": contexts,
        "current-context": contexts[0]["name"] if contexts else "",
    }
    return str(yaml.safe_dump(document, sort_keys=False))


def _entry(document: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found = [dict(entry[kind]) for entry in document[f"{kind}s"] if entry["name"] == name]
    return found[0]


def _decoded(entry: dict[str, Any], field_name: str) -> str | None:
    encoded = entry.get(field_name)
    if not encoded:
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(field_name) from error
