"""Serving a WSGI application over HTTP on loopback."""

import os
import signal
import threading

from cheroot import wsgi

# The services call each other both ways while they answer; all threads of two waiting on the other
# would be a deadlock.
THREADS = 16
# A connection that is closed for being idle may be closed under the client's next request.
IDLE_SECONDS = 600


class UnclosableInput:
    """A request body that ignores close().

    Glance closes `wsgi.input` after a chunked upload; cheroot would then drop the keep-alive
    connection under the client's next request.
    """

    def __init__(self, body):
        self._body = body

    def __getattr__(self, name):
        return getattr(self._body, name)

    def __iter__(self):
        return iter(self._body)

    def close(self):
        pass


def serve(application, runtime):
    """Serve until SIGTERM, then end the process."""

    def with_unclosable_input(environ, start_response):
        environ["wsgi.input"] = UnclosableInput(environ["wsgi.input"])
        return application(environ, start_response)

    server = wsgi.Server(
        ("127.0.0.1", runtime.port),
        with_unclosable_input,
        numthreads=THREADS,
        request_queue_size=128,
        timeout=IDLE_SECONDS,
        shutdown_timeout=1,
    )
    server.keep_alive_conn_limit = None

    def stop(*_):
        threading.Thread(target=server.stop, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    server.prepare()
    runtime.say_ready()
    server.serve()
    # The workers' threads are not daemons and would keep the process alive; everything they do is in
    # the database, and a start takes it up from there.
    os._exit(0)
