"""One run of the lab within its enclosure: up, proofs, down."""

import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import agents, hypervisors, services
from lab.captures import Wire
from lab.cloud import Cloud
from lab.compute import Compute
from lab.guests import Guests
from lab.layout import WORLD, Layout
from lab.processes import Background
from lab.product import OPERATOR_EMAIL, Product
from lab.scene import Side, furnish, wait_until_wired
from lab.services import Secrets
from lab.tenants import Api, await_tenant, begin_tenant, sign_in_operator

Report = Callable[[str], None]


@dataclass(frozen=True)
class Lab:
    """The running lab."""

    cloud: Cloud
    product: Product
    background: Background
    a: Side
    b: Side
    operator: Api
    world: Wire
    world_mac: str


class Ended(BaseException):
    """Somebody asked the lab to end."""


def listen_to_signals() -> None:
    """Turn requests to end into an exception, so that everything is taken down in order."""

    def end(number: int, _frame: object) -> None:
        raise Ended(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)


def with_lab(layout: Layout, report: Report, use: Callable[[Lab], None]) -> None:
    """Bring the lab up, use it, and take it down again, whatever happens."""
    shutil.rmtree(layout.logs, ignore_errors=True)
    layout.logs.mkdir(parents=True)
    layout.runtime.mkdir()
    background, product, kept = Background(layout.log), Product(layout), Secrets()
    compute: Compute | None = None
    try:
        began = time.monotonic()

        def tell(line: str) -> None:
            report(f"[{time.monotonic() - began:6.1f} s] {line}")

        hypervisors.build()
        tell("two hypervisors and the outside world are joined")
        with ThreadPoolExecutor(1) as aside:
            database = aside.submit(product.start_database)
            services.start(layout, background, kept)
            tell("Keystone answers")
            cloud = Cloud(kept)
            cloud.furnish()
            services.wait_for_neutron(background)
            tell("Neutron answers")
            agents.start(layout, background)
            cloud.make_outside()
            guests = Guests()
            compute = Compute(cloud, guests)
            compute.start()
            database.result()
        tell("Platforma answers")
        product.start_workers(kept)
        agents.wait(background, cloud)
        tell("all agents are alive")
        operator = sign_in_operator(OPERATOR_EMAIL, product.operator_password)
        a, b = _make_tenants(operator, cloud, guests)
        wait_until_wired(cloud, a, b)
        tell("tenants A and B have networks, guests and floating IPs")
        hypervisors.lead_back(b.external[6])
        use(Lab(cloud, product, background, a, b, operator, Wire(WORLD), hypervisors.mac_of(WORLD)))
        background.check()
    finally:
        product.save_logs()
        product.stop()
        if compute is not None:
            compute.stop()
        background.stop()


def _make_tenants(operator: Api, cloud: Cloud, guests: Guests) -> tuple[Side, Side]:
    ids = {name: begin_tenant(operator, name) for name in ("A", "B")}
    tenants = {name: await_tenant(operator, name, id_) for name, id_ in ids.items()}
    with ThreadPoolExecutor(2) as pool:
        a, b = pool.map(lambda tenant: furnish(tenant, cloud, guests), (tenants["A"], tenants["B"]))
    return a, b
