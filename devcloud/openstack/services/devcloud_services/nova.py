"""Nova: API, conductor, scheduler and compute in one process."""

import contextlib
import os
import shlex
import sqlite3
import sys
import uuid

from devcloud_services import messaging


def prepare(runtime):
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
    os.environ["OS_NOVA_CONFIG_DIR"] = str(runtime.etc)
    os.environ["OS_NOVA_CONFIG_FILES"] = f"nova-api-paste.ini;{runtime.configuration.name}"
    sys.argv = ["nova-api", "--config-file", str(runtime.configuration)]
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")


def make_application(runtime):
    messaging.wake_at_once()
    from nova.api.openstack import wsgi_app

    wsgi_app.init_global_data([str(runtime.configuration)], "osapi_compute", "nova-api-os-compute")
    if runtime.is_new():
        runtime.create_databases("nova_api", "nova_cell0", "nova_cell1")
        _make_databases(runtime)
    from nova.wsgi.osapi_compute import application

    _start_workers(runtime)

    return application


def _make_databases(runtime):
    import nova.conf
    from nova import context, objects
    from nova.db import migration

    migration.db_sync(database="api")
    migration.db_sync(database="main")
    # Cell 0, where servers go that fit nowhere, has the schema of any other cell.
    with (
        contextlib.closing(sqlite3.connect(runtime.database("nova_cell1"))) as cell1,
        contextlib.closing(sqlite3.connect(runtime.database("nova_cell0"))) as cell0,
    ):
        cell1.backup(cell0)
    admin = context.get_admin_context()
    connection = nova.conf.CONF.database.connection
    objects.CellMapping(
        admin,
        uuid=objects.CellMapping.CELL0_UUID,
        name="cell0",
        transport_url="none:///",
        database_connection=connection.replace("nova_cell1", "nova_cell0"),
    ).create()
    objects.CellMapping(
        admin,
        uuid=str(uuid.uuid4()),
        name="cell1",
        transport_url=nova.conf.CONF.transport_url,
        database_connection=connection,
        disabled=False,
    ).create()
    runtime.databases_are_made()


def _start_workers(runtime):
    import os_brick
    import os_vif
    from devcloud_plugins import hypervisor
    from nova import context, objects, service, utils
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.conf import CONF
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler
    from oslo_privsep import priv_context

    sys.modules["nova.virt.devcloud_hypervisor"] = hypervisor
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_brick.setup(CONF)
    os_vif.initialize()
    objects.Service.enable_min_version_cache()
    runtime.wait_for("keystone", "placement")  # the compute service registers itself there at once
    for worker in (
        {"binary": "nova-conductor", "topic": conductor.RPC_TOPIC},
        {"binary": "nova-scheduler", "topic": scheduler.RPC_TOPIC},
        {"binary": "nova-compute", "topic": compute.RPC_TOPIC, "topic_alt": compute.RPC_TOPIC_ALT},
    ):
        service.Service.create(**worker).start()
        runtime.say(f"{worker['binary']} up")
    host_mapping.discover_hosts(context.get_admin_context())
