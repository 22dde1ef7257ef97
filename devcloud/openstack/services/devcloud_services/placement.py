"""Placement: the inventory that Nova's scheduler draws on."""

import os
import sys


def prepare(runtime):
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(runtime.etc)
    sys.argv = ["placement"]


def make_application(runtime):
    is_new = runtime.is_new()
    if is_new:
        runtime.create_databases("placement")
    from placement.wsgi.api import application  # makes its database: sync_on_startup

    if is_new:
        runtime.databases_are_made()
    return application
