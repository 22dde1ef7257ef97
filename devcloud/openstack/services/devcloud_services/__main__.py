"""`python -m devcloud_services NAME STATE`: be one OpenStack service until SIGTERM."""

import importlib
import os
import sys
import traceback
from pathlib import Path

from devcloud_services import policies, serving, sqlite
from devcloud_services.runtime import Runtime


def main():
    service, state = sys.argv[1], Path(sys.argv[2])
    os.chdir(state)
    try:
        runtime = Runtime.load(service, state)
        module = importlib.import_module(f"devcloud_services.{service}")
        module.prepare(runtime)
        sqlite.change_oslo_db()
        application = module.make_application(runtime)
        policies.load(service)
        serving.serve(application, runtime)
    except BaseException:  # noqa: BLE001 - whatever it was, the process must end
        # Not sys.exit: the threads of a service that is half up would keep the process alive.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


main()
