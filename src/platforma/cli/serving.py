"""The applications as uvicorn's worker processes make them."""

from starlette.types import ASGIApp

from platforma.app import create_app
from platforma.kit.logs import configure_logs
from platforma.settings import load_settings


def portal() -> ASGIApp:
    """Make the portals' application."""
    configure_logs()
    return create_app(load_settings())


def operator() -> ASGIApp:
    """Make the operator's application."""
    from platforma.operator.application import create_operator_app

    configure_logs()
    return create_operator_app(load_settings())


def certificates() -> ASGIApp:
    """Make the application that Caddy asks about certificates."""
    from platforma.portal.certificates import create_certificates_app

    configure_logs()
    return create_certificates_app(load_settings())
