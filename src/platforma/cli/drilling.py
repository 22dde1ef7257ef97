"""The process of one knock-out: a whole installation in it, with one wall taken away, on clouds in memory.

Asked on standard input for `{"fault": name or null, "urls": {...}}`; answers on standard output, in one line.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import httpx2

from platforma import worker
from platforma.app import create_app
from platforma.cli.verify import inventory
from platforma.clouds.kubernetes.fake import FakeClusters
from platforma.clouds.openstack.fake import FakeCloud
from platforma.database.database import Database
from platforma.kit.crypto import KeyRing, new_key
from platforma.kit.logs import configure_logs
from platforma.kit.probes import Outcome
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.models import Plane
from platforma.operations.registry import reconcilers_of
from platforma.operator.portals import create_portal
from platforma.operator.routes import Acting
from platforma.operator.schemas import PortalCreate
from platforma.operator.service import OperatorPrincipal
from platforma.settings import Settings, SignInLimit, WorkerSettings
from platforma.tenants.service import OperatorAct
from platforma.verification import party
from platforma.verification.drill.faults import by_name
from platforma.verification.drill.knockouts import Watch, disclosures_of, faulty
from platforma.verification.live import verify_installation

_GENEROUS = SignInLimit(source_capacity=10_000, account_capacity=10_000)
_QUICK = 0.05
NOTHING_PROVEN = "not proven: the whole verification broke off"
_WHO = "drill"
_PATIENCE_SECONDS = 60.0


async def knock_out(urls: Mapping[str, str], fault_name: str | None) -> dict[str, Any]:
    """Take a wall away, run the installation, attack it, and say what came of it."""
    operations = inventory()
    if fault_name is not None:
        fault = by_name()[fault_name]
        fault.apply_to_database(urls["administrator"])
        fault.apply_to_code()
    settings = Settings(
        database={role: urls[role] for role in ("portal", "operator", "worker", "provisioner")},
        pepper=new_key(),
        sign_in_limit=_GENEROUS,
        stripe={"webhook_secrets": [new_key()]},
    )
    database, watch = Database(urls["operator"], pool_size=2), Watch()
    act = OperatorAct(_WHO, "A wall is taken away in a disposable copy.")
    acting = Acting(OperatorPrincipal(UUID(int=0), _WHO, _WHO), database, settings, act.reason)
    for name in ("aurora", "borealis"):
        await create_portal(acting, PortalCreate(name=name, title=name, host=f"{name}.localhost"))
    application = create_app(settings)
    transport = httpx2.ASGITransport(app=application, raise_app_exceptions=False)
    try:
        async with _workers(urls):
            found = await verify_installation(
                database,
                urls["operator"],
                settings,
                act,
                operations,
                patience_seconds=_PATIENCE_SECONDS,
                timing_pairs=0,
                transport=transport,
                watch=watch.put_on,
            )
    except Exception as error:
        if fault_name is None:
            raise
        # With this wall gone nothing works any more, so that nothing can be proven: that is noticed, too.
        words = f"{NOTHING_PROVEN}: {type(error).__name__}: {error}"[:500]
        return {"probes": 0, "faulty": [words], "disclosures": watch.seen}
    finally:
        await application.state.database.close()
        await database.close()
    return {
        "probes": len(found.findings),
        "faulty": faulty(found),
        "disclosures": disclosures_of(found, watch.seen),
        "details": [each.observation.detail for each in found.findings if each.observation.outcome is not Outcome.HELD],
    }


@contextlib.asynccontextmanager
async def _workers(urls: Mapping[str, str]) -> AsyncIterator[None]:
    """Run a worker of each plane beside the attacks, on one cloud in memory."""
    cloud = FakeCloud()
    keys = KeyRing([new_key()])
    access = CloudAccess(cloud, cloud.settings, keys, cloud.administrator, FakeClusters())
    settings = WorkerSettings(sweep_seconds=3600)
    roles = {Plane.TENANT: "worker", Plane.PLATFORM: "provisioner"}
    workers = [
        worker.Worker(urls[role], plane, access, reconcilers_of(plane, access), settings)
        for plane, role in roles.items()
    ]
    tasks = [asyncio.ensure_future(each.run()) for each in workers]
    try:
        yield
    finally:
        for each in workers:
            each.stop()
        await asyncio.gather(*tasks)


def main() -> None:
    """Carry out what is asked for on standard input."""
    configure_logs(level="critical")
    worker.POLL_SECONDS = party.POLL_SECONDS = _QUICK
    asked = json.load(sys.stdin)
    sys.stdout.write(json.dumps(asyncio.run(knock_out(asked["urls"], asked["fault"]))) + "\n")


if __name__ == "__main__":
    main()
