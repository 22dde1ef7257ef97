"""How connections are made.

Everything is explicit: no kubeconfig of this machine, no variable and no proxy of the environment takes part, no
program is run and no redirect is followed.
"""

import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
from lightkube import Client
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster, Context, User

from platforma.clouds.errors import CloudCredentialInvalid
from platforma.clouds.kubernetes.credentials import ClusterCredential
from platforma.clouds.kubernetes.labels import FIELD_MANAGER

_MAXIMUM_ANSWER_BYTES = 64 * 1024 * 1024


class DeadlineTransport(httpx2.BaseTransport):
    """Sends requests that end: the whole answer must be there in time, and small enough to hold."""

    def __init__(self, credential: ClusterCredential, seconds: float) -> None:
        self._seconds = seconds
        self._is_closed = False
        self._server_name = credential.tls_server_name
        self._inner = httpx2.HTTPTransport(verify=_tls(credential), trust_env=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; raises httpx2.TimeoutException when its time is over."""
        if self._is_closed:
            raise httpx2.ConnectError("The connections have been closed.")
        deadline = time.monotonic() + self._seconds
        request.extensions = {**request.extensions, "timeout": httpx2.Timeout(self._seconds).as_dict()}
        if self._server_name is not None:
            request.extensions["sni_hostname"] = self._server_name
        response = self._inner.handle_request(request)
        try:
            content = b"".join(self._read(response, deadline))
        finally:
            response.close()
        headers = httpx2.Headers(response.headers)
        # lightkube asks for it when the status is an error, and a proxy may have left it out.
        headers.setdefault("Content-Type", "application/octet-stream")
        return httpx2.Response(response.status_code, headers=headers, content=content, extensions=response.extensions)

    def close(self) -> None:
        """Close the connections, for good."""
        self._is_closed = True
        self._inner.close()

    def _read(self, response: httpx2.Response, deadline: float) -> Iterator[bytes]:
        size = 0
        for chunk in response.stream:  # type: ignore[union-attr]
            size += len(chunk)
            if time.monotonic() > deadline:
                raise httpx2.ReadTimeout("The answer takes too long.")
            if size > _MAXIMUM_ANSWER_BYTES:
                raise httpx2.ReadError("The answer is too long.")
            yield chunk


def open_client(credential: ClusterCredential, transport: DeadlineTransport, seconds: float) -> Client:
    """Return the SDK's client for a credential. Nothing is asked of the cluster yet."""
    config = SingleConfig(
        context_name="platforma",
        context=Context(cluster="platforma", user="platforma"),
        cluster=Cluster(server=credential.server),
        user=User(token=credential.token),
    )
    return Client(
        config, timeout=httpx2.Timeout(seconds), field_manager=FIELD_MANAGER, trust_env=False, transport=transport
    )


def _tls(credential: ClusterCredential) -> ssl.SSLContext:
    """Return how the server is known, and how we are if by a certificate. Raises CloudCredentialInvalid."""
    try:
        context = ssl.create_default_context(cadata=credential.certificate_authority)
        if credential.client_certificate is not None and credential.client_key is not None:
            _load_client_certificate(context, credential.client_certificate, credential.client_key)
    except (ssl.SSLError, ValueError) as error:
        raise CloudCredentialInvalid("Its certificates cannot be read.") from error
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load it from a file that is there for that moment only: Python reads keys from files alone."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "client.pem")
        path.touch(mode=0o600)
        path.write_text(f"{certificate}\n{key}\n")
        context.load_cert_chain(path)
