"""localstripe and its proxy, started and ended together."""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from devcloud.stripe.proxy import IdempotentProxy

START_SECONDS = 30.0
_LONGEST_REQUEST = 1 << 14


class LocalStripe:
    """`with LocalStripe() as stripe: stripe.base_address`. Its state is in memory."""

    def __init__(self, *, port: int = 0, directory: Path | None = None) -> None:
        self._directory = directory
        self._target = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._proxy = IdempotentProxy(port, self._target)

    @property
    def base_address(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._proxy.server_address[1]}"

    def __enter__(self) -> "LocalStripe":
        command = [str(Path(sys.executable).with_name("localstripe")), "--from-scratch", "--port", str(self._target)]
        environment = os.environ | ({"TMPDIR": str(self._directory)} if self._directory else {})
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=self._directory
        )
        self._wait()
        threading.Thread(target=self._proxy.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=1)
            with suppress(OSError):
                connection.request("GET", "/js.stripe.com/v3/")
                connection.getresponse().read(_LONGEST_REQUEST)
                connection.close()
                return
            connection.close()
            time.sleep(0.05)
        raise RuntimeError("localstripe does not answer.")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port
