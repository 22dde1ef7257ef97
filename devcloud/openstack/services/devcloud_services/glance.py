"""Glance: images."""

import os
import sys


def prepare(runtime):
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(runtime.etc)
    sys.argv = ["glance-api"]


def make_application(runtime):
    if runtime.is_new():
        runtime.create_databases("glance")
        _make_database(runtime)
    from glance.wsgi.api import application

    return application


def _make_database(runtime):
    import glance.common.config  # noqa: F401 - registers the options that the parse below needs
    from glance.cmd import manage

    files = [str(runtime.etc / "glance-api.conf")]
    manage.CONF([], project="glance", prog="glance-api", default_config_files=files)
    manage.DbCommands().sync()
    runtime.databases_are_made()
