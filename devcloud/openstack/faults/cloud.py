"""A proxy before every service, and a catalogue that leads to them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from devcloud.openstack.credentials import Credentials
from devcloud.openstack.faults.kinds import Response
from devcloud.openstack.faults.proxy import FaultProxy
from devcloud.openstack.layout import NAMES, SERVICES
from devcloud.openstack.rest import Client

CATALOGUE_PATHS = ("/v3/auth/tokens", "/v3/auth/catalog")


@dataclasses.dataclass(frozen=True)
class FaultyCloud:
    """`credentials` are the cloud's with the proxied `auth_url`; `proxies` go by service name."""

    credentials: Credentials
    proxies: Mapping[str, FaultProxy]

    def __getitem__(self, service: str) -> FaultProxy:
        return self.proxies[service]

    def mend(self) -> None:
        """Forget every fault, and start what was stopped."""
        for proxy in self.proxies.values():
            proxy.mend()


@contextmanager
def faulty_cloud(credentials: Credentials, services: Iterable[str] = NAMES) -> Iterator[FaultyCloud]:
    """Run proxies before the chosen services, and always before Keystone, while the block runs."""
    places = _service_urls(credentials)
    with ExitStack() as stack:
        proxies: dict[str, FaultProxy] = {}
        for service in dict.fromkeys([*services, "keystone"]):
            proxy = FaultProxy(service, places[service])
            stack.enter_context(proxy)
            proxies[service] = proxy
        rewritten = {proxy.upstream: proxy.url for proxy in proxies.values()}
        proxies["keystone"].rewrite = _CatalogueRewriter(rewritten)
        auth_url = proxies["keystone"].url + "/v3"
        yield FaultyCloud(dataclasses.replace(credentials, auth_url=auth_url), proxies)


@dataclasses.dataclass(frozen=True)
class _CatalogueRewriter:
    """Puts the proxies' addresses into every answer that carries a catalogue."""

    places: Mapping[str, str]

    def __call__(self, path: str, response: Response) -> Response:
        if path.partition("?")[0] not in CATALOGUE_PATHS or not response.body:
            return response
        content = json.loads(response.body)
        for entry in content.get("catalog") or content.get("token", {}).get("catalog", ()):
            for endpoint in entry["endpoints"]:
                endpoint["url"] = self._place(endpoint["url"])
        return dataclasses.replace(response, body=json.dumps(content).encode())

    def _place(self, url: str) -> str:
        for upstream, proxy in self.places.items():
            if url == upstream or url.startswith(upstream + "/"):
                return proxy + url.removeprefix(upstream)
        return url


def _service_urls(credentials: Credentials) -> dict[str, str]:
    """Scheme, host and port of each service, from the catalogue."""
    catalogue = Client.sign_in(credentials).get(credentials.auth_url + "/auth/catalog")["catalog"]
    urls = {
        entry["type"]: endpoint["url"]
        for entry in catalogue
        for endpoint in entry["endpoints"]
        if endpoint["interface"] == "public"
    }
    return {
        service.name: urls[kind].removesuffix(suffix) for service in SERVICES for kind, suffix in service.catalogue[:1]
    }
