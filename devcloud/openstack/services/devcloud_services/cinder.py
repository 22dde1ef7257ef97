"""Cinder: API, scheduler and volume service in one process."""

import os
import shlex
import sys
import threading

from devcloud_services import messaging


def prepare(runtime):
    os.environ["OS_CINDER_DISABLE_EVENTLET_PATCHING"] = "1"
    sys.argv = ["cinder", "--config-file", str(runtime.configuration)]
    from cinder import monkey_patch

    monkey_patch.patch(backend="threading")


def make_application(runtime):
    messaging.wake_at_once()
    # Before the WSGI module parses the configuration: it registers options on the command line.
    import cinder.cmd.volume as volume_command

    if runtime.is_new():
        runtime.create_databases("cinder")
        _make_database(runtime)
    from cinder.wsgi.api import application

    _start_workers(volume_command.host_opt)

    return application


def _make_database(runtime):
    from cinder import objects, version
    from cinder.db import migration
    from oslo_config import cfg

    objects.register_all()
    cfg.CONF(sys.argv[1:], project="cinder", version=version.version_string())
    migration.db_sync()
    runtime.databases_are_made()


def _start_workers(host_option):
    import cinder.privsep
    import os_brick
    from cinder import service, utils
    from oslo_config import cfg
    from oslo_privsep import priv_context

    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_brick.setup(cfg.CONF)
    cinder.privsep.sys_admin_pctxt.set_client_mode(False)  # do not start sudo privsep-helper
    _beat_for_oneself(service.Service)
    backend = cfg.CONF.enabled_backends[0]
    cfg.CONF.register_opt(host_option, group=backend)
    volume = service.Service.create(
        host=f"{cfg.CONF.host}@{backend}",
        service_name=backend,
        binary="cinder-volume",
        coordination=True,
    )
    scheduler = service.Service.create(binary="cinder-scheduler")
    volume.start()
    scheduler.start()


def _beat_for_oneself(service_class):
    """Keep each service's heartbeats on its own row.

    `service_id` is an attribute of the class: with two services in a process both would beat for the
    one that was made last, and the other would be taken for dead.
    """
    report_state = service_class.report_state
    one_at_a_time = threading.Lock()

    def report_own_state(self):
        with one_at_a_time:
            service_class.service_id = self.origin_service_id
            report_state(self)

    service_class.report_state = report_own_state
