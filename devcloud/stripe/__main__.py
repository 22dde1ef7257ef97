"""`python -m devcloud.stripe DIRECTORY --port=8420 --webhook=URL`: the local Stripe that `make up` brings along.

localstripe and its proxy in one process, on loopback alone. What it knows is kept in the directory and found again:
a tenant's customer is bound for good. Only the answers to idempotency keys are forgotten at its end.
"""

import argparse
import pickle
import socket
import threading
from pathlib import Path

from aiohttp import web
from localstripe import resources, server, webhooks  # type: ignore[import-untyped]

from devcloud.stripe.proxy import IdempotentProxy


def main() -> None:
    """Serve until it is told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="of its state; has a file `webhook-secret`")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook", required=True)
    options = parser.parse_args()
    _keep_in(options.directory / "state")
    secret = (options.directory / "webhook-secret").read_text()
    webhooks.register_webhook("platforma", options.webhook, secret, None)
    listening = socket.create_server(("127.0.0.1", 0))
    proxy = IdempotentProxy(options.port, listening.getsockname()[1])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    web.run_app(server.app, sock=listening, access_log=None, print=None)


def _keep_in(path: Path) -> None:
    """Keep localstripe's state at a path of ours; its own is the same file for everybody on the machine."""
    store = resources.store

    def dump(self: dict[str, object]) -> None:
        partial = path.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(dict(self)))
        partial.replace(path)

    type(store).dump_to_disk = dump
    if path.exists():
        kept: dict[str, object] = pickle.loads(path.read_bytes())
        dict.update(store, kept)


if __name__ == "__main__":
    main()
