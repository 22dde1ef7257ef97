"""One server process: `python -m bench.serve FACTORY PORT`, with uvicorn set up as the product sets it up."""

import sys

import uvicorn

from bench.processes import LOOPBACK
from platforma.api.server import server_config


def main() -> None:
    """Serve the application that the factory makes, until SIGTERM."""
    factory, port = sys.argv[1:]
    uvicorn.Server(server_config(factory, factory=True, host=LOOPBACK, port=int(port))).run()


if __name__ == "__main__":
    main()
