"""Structured logs: one JSON object a line, or for a person at a terminal a coloured line. Never a secret."""

import logging
import sys
from typing import Any

import structlog

_LIBRARIES = (
    "httpcore2",
    "httpx2",
    "keystoneauth",
    "lightkube",
    "openstack",
    "procrastinate",
    "sqlalchemy",
    "urllib3",
    "uvicorn.error",
)


def configure_logs(*, level: str = "INFO", as_json: bool | None = None) -> None:
    """Set up the logs of this process, on standard error. By default JSON unless that is a terminal.

    Tracebacks name files and lines and no values: local variables would tell credentials.
    """
    if as_json is None:
        as_json = not sys.stderr.isatty()
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        last += [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    logging.root.handlers = [handler]
    logging.root.setLevel(number)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(max(number, logging.WARNING))
