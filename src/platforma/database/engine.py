"""Engines: one per process, for that process's own role."""

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class DatabaseUrlError(ValueError):
    """A database URL is not one of PostgreSQL."""


def parse_url(url: str) -> URL:
    """Return the URL for the psycopg driver; raises DatabaseUrlError for another database or bad syntax."""
    try:
        parsed = make_url(url)
    except Exception as error:
        raise DatabaseUrlError(f"This is not a database URL: {error}") from error
    if parsed.get_backend_name() != "postgresql":
        raise DatabaseUrlError(f"Platforma needs PostgreSQL, and this URL names {parsed.get_backend_name()}.")
    return parsed.set(drivername="postgresql+psycopg")


def libpq_dsn(url: str) -> str:
    """Return the same URL without SQLAlchemy's driver suffix, for psycopg and procrastinate."""
    return parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def create_engine(url: str, *, pool_size: int = 10, statement_timeout_ms: int | None = None) -> AsyncEngine:
    """Open a pool. Safe behind PgBouncer in transaction mode: no prepared statements, no session state.

    `statement_timeout_ms` is sent with each new connection; leave it None behind PgBouncer and set it on the
    role instead.
    """
    arguments: dict[str, object] = {"prepare_threshold": None}
    if statement_timeout_ms is not None:
        arguments["options"] = f"-c statement_timeout={statement_timeout_ms}"
    return create_async_engine(
        parse_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_recycle=1800,
        pool_pre_ping=False,
        hide_parameters=True,
        connect_args=arguments,
    )
