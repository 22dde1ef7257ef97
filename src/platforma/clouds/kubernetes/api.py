"""A cluster's API in plain objects: what is sent and what comes back are manifests."""

import weakref
from collections.abc import Mapping
from typing import Any

import httpx2
from lightkube.core.resource_registry import resource_registry
from lightkube.resources.core_v1 import ServiceAccountToken

from platforma.clouds.errors import CloudAnswerInvalid, CloudNotFound
from platforma.clouds.kubernetes.connection import DeadlineTransport, open_client
from platforma.clouds.kubernetes.credentials import ClusterCredential
from platforma.clouds.kubernetes.labels import FIELD_MANAGER
from platforma.clouds.kubernetes.translation import at_border

Manifest = dict[str, Any]
_PAGE = 500

CORE = "v1"
APPS = "apps/v1"
BATCH = "batch/v1"
NETWORKING = "networking.k8s.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"
ADMISSION = "admissionregistration.k8s.io/v1"
AUTHORIZATION = "authorization.k8s.io/v1"


class Api:
    """Every method raises nothing but a CloudError."""

    def __init__(self, credential: ClusterCredential, seconds: float) -> None:
        self._credential = credential
        self._transport = DeadlineTransport(credential, seconds)
        # The SDK tells kinds apart by its classes, and here they come as values.
        self._client: Any = open_client(credential, self._transport, seconds)
        self._closing = weakref.finalize(self, self._transport.close)

    @property
    def credential(self) -> ClusterCredential:
        """How it was opened."""
        return self._credential

    def close(self) -> None:
        """Close the connections, as happens anyway when nobody has it any more."""
        self._closing()

    @at_border
    def version(self) -> str:
        """Return the version that the API server says it has, such as `v1.33.1`."""
        request = httpx2.Request("GET", f"{self._credential.server.rstrip('/')}/version")
        if self._credential.token is not None:
            request.headers["Authorization"] = f"Bearer {self._credential.token}"
        response = self._transport.handle_request(request)
        response.request = request
        response.raise_for_status()
        return str(response.json()["gitVersion"])

    @at_border
    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return an object, or None."""
        try:
            return self.get(api_version, kind, name, namespace)
        except CloudNotFound:
            return None

    @at_border
    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest:
        """Return an object; raises CloudNotFound."""
        return _plain(self._client.get(_class(api_version, kind), name, **_in(namespace)))

    @at_border
    def list_objects(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str | None] | None = None,
    ) -> list[Manifest]:
        """Return objects, of one namespace or of all, with these labels: those given as None need only be there."""
        class_ = _class(api_version, kind)
        everywhere = {"namespace": "*"} if namespace is None and _is_namespaced(class_) else _in(namespace)
        chosen = dict(labels) if labels else None
        return [_plain(each) for each in self._client.list(class_, chunk_size=_PAGE, labels=chosen, **everywhere)]

    @at_border
    def apply(self, manifest: Manifest) -> Manifest:
        """Have an object as it is written here (server-side apply): whatever others set in these fields is ours."""
        class_ = _class(manifest["apiVersion"], manifest["kind"])
        return _plain(self._client.apply(class_.from_dict(manifest), field_manager=FIELD_MANAGER, force=True))

    @at_border
    def create(self, manifest: Manifest, *, is_dry_run: bool = False) -> Manifest:
        """Make an object; raises CloudConflict if there is one of its name. A dry run is judged, and leaves nothing."""
        class_ = _class(manifest["apiVersion"], manifest["kind"])
        return _plain(self._client.create(class_.from_dict(manifest), dry_run=is_dry_run))

    @at_border
    def replace(self, manifest: Manifest) -> Manifest:
        """Put an object in the place of the one that is there, if it still has the resource version that is given."""
        return _plain(self._client.replace(_class(manifest["apiVersion"], manifest["kind"]).from_dict(manifest)))

    @at_border
    def delete(self, manifest: Manifest) -> bool:
        """Ask for an object to be deleted; say whether it was there."""
        metadata = manifest["metadata"]
        class_ = _class(manifest["apiVersion"], manifest["kind"])
        try:
            with_grace = {"grace_period": 0} if manifest["kind"] == "Pod" else {}
            self._client.delete(class_, metadata["name"], **_in(metadata.get("namespace")), **with_grace)
        except Exception as error:
            if isinstance(error, httpx2.HTTPStatusError) and error.response.status_code == httpx2.codes.NOT_FOUND:
                return False
            raise
        return True

    @at_border
    def request_token(self, namespace: str, account: str, *, seconds: int) -> tuple[str, str]:
        """Return a token of a service account for this API alone, and when it ends, as ISO 8601."""
        asked = {
            "metadata": {"name": account, "namespace": namespace},
            "spec": {"audiences": [], "expirationSeconds": seconds},
        }
        answer = _plain(self._client.create(ServiceAccountToken.from_dict(asked), account, namespace=namespace))
        status = answer.get("status") or {}
        if not status.get("token") or not status.get("expirationTimestamp"):
            raise CloudAnswerInvalid("It lacks the token.")
        return str(status["token"]), str(status["expirationTimestamp"])


def _class(api_version: str, kind: str) -> Any:
    return resource_registry.load(api_version, kind)


def _is_namespaced(class_: Any) -> bool:
    return "global_list" in class_._api_info.verbs


def _in(namespace: str | None) -> dict[str, str]:
    return {} if namespace is None else {"namespace": namespace}


def _plain(answer: Any) -> Manifest:
    return dict(answer.to_dict())
