"""The faults that a drill plants, each one wall taken away. They are applied to a disposable copy and its own process.

Code is changed in the memory of that process alone, before its application is made; the gate and the tables in the
copy's database.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import true
from sqlalchemy.orm import with_loader_criteria

from platforma.api import edge
from platforma.authentication import cookies
from platforma.authentication.principals import Principal
from platforma.billing import webhooks
from platforma.compute import interfaces
from platforma.compute.models import Server
from platforma.database import scoping
from platforma.database.tables import TenantOwned, tenant_tables
from platforma.kit.probes import Layer
from platforma.kit.problems import NotFound
from platforma.network import floating_ips, ports, security_groups
from platforma.network.models import Network
from platforma.operations import resources
from platforma.storage import service as storage
from platforma.storage.schemas import VolumeCreate

Change = tuple[str, str, str]
"""A function of the gate, what stands in it, and what shall stand there instead."""


@dataclass(frozen=True)
class Fault:
    """One wall taken away: by what is replaced in code, changed in the gate, or done to the tables."""

    layer: Layer
    name: str
    code: Callable[[], None] = lambda: None
    gate: tuple[Change, ...] = ()
    statements: tuple[str, ...] = field(default=(), repr=False)

    def apply_to_code(self) -> None:
        """Change this process, which has no way back: it ends with the knock-out."""
        self.code()

    def apply_to_database(self, administrator_url: str) -> None:
        """Change a copy, as its superuser. Raises LookupError if the gate has changed so that nothing is taken away."""
        with psycopg.connect(administrator_url, autocommit=True) as connection:
            for function, old, new in self.gate:
                change_function(connection, function, old, new)
            for statement in self.statements:
                connection.execute(statement.encode())


def change_function(connection: psycopg.Connection[Any], function: str, old: str, new: str) -> None:
    """Replace a part of a function of the gate; raises LookupError if it is not there."""
    row = connection.execute(
        "SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'gate' AND p.proname = %s",
        (function,),
    ).fetchone()
    if row is None or old not in row[0]:
        raise LookupError(f"gate.{function} has no {old!r}.")
    connection.execute(sql.SQL(row[0].replace(old, new)))


def replace(original: Any, replacement: Any) -> None:
    """Put something else in the place of a function, wherever the product has imported it."""
    found = 0
    for name, module in list(sys.modules.items()):
        if not name.startswith("platforma."):
            continue
        for attribute, value in list(vars(module).items()):
            if value is original:
                setattr(module, attribute, replacement)
                found += 1
    if not found:
        raise LookupError(f"{original!r} is nowhere.")


def _set(place: Any, **values: Any) -> None:
    for name, value in values.items():
        if not hasattr(place, name):
            raise LookupError(f"{place!r} has no {name}.")
        setattr(place, name, value)


def _nothing(*_arguments: Any, **_named: Any) -> None:
    """Check nothing."""


async def _wait_for_nothing(*_arguments: Any, **_named: Any) -> None:
    """Check nothing."""


def _yes(*_arguments: Any, **_named: Any) -> bool:
    return True


def _read_any_cookie(headers: Any, name: str) -> str | None:
    """Take the first cookie of a name, in any case, quoted or not: as lenient parsers do."""
    for header, value in headers:
        for pair in value.split(b";") if header == b"cookie" else ():
            key, _, content = pair.strip().partition(b"=")
            if key.strip().lower().decode("latin-1") == name.lower():
                return str(content.strip(b'"').decode("latin-1"))
    return None


def _bare_cookie(name: str, token: str) -> str:
    return f"{name}={token}; Path=/"


def _no_filters(_tenant_id: UUID) -> tuple[Any, ...]:
    return (with_loader_criteria(TenantOwned, true(), include_aliases=True),)


def _without_orm() -> None:
    replace(scoping.tenant_filters, _no_filters)
    replace(scoping.check_emitted, _nothing)


def _unlooked(place: Any, kind: type[Any]) -> Callable[[], None]:
    """Let a service take an id of a kind without looking whether the tenant has such a thing."""

    async def take(session: Any, model: Any, id_: UUID, *, for_change: bool = False) -> Any:
        try:
            return await resources.get_resource(session, model, id_, for_change=for_change)
        except NotFound:
            if model is not kind:
                raise
        return SimpleNamespace(
            id=id_, name="unlooked", status="active", cloud_id="unlooked", key=None, deletion_requested_at=None
        )

    return lambda: _set(place, get_resource=take)


async def _any_source(_session: Any, body: VolumeCreate) -> storage._Source:
    for kind, id_ in (("snapshot", body.snapshot_id), ("volume", body.source_volume_id)):
        if id_ is not None:
            return storage._Source(kind, id_)
    return storage._Source()


async def _any_target(_session: Any, port_id: UUID, **_named: Any) -> UUID:
    return port_id


def _of_tables(statement: str, *tables: str) -> tuple[str, ...]:
    return tuple(statement.format(table) for table in tables or sorted(tenant_tables()))


_OPEN_POLICIES = """
    DO $$ DECLARE p record; BEGIN
        FOR p IN SELECT policyname, cmd FROM pg_policies
                 WHERE schemaname = 'public' AND tablename = '{0}' AND permissive = 'PERMISSIVE' LOOP
            EXECUTE format('ALTER POLICY %I ON public.{0} USING (true)', p.policyname)
                    || CASE WHEN p.cmd = 'ALL' THEN ' WITH CHECK (true)' ELSE '' END;
        END LOOP;
    END $$"""
_DROP_TRIGGERS = """
    DO $$ DECLARE t record; BEGIN
        FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.{0}'::regclass AND NOT tgisinternal LOOP
            EXECUTE format('DROP TRIGGER %I ON public.{0}', t.tgname);
        END LOOP;
    END $$"""
_DROP_FOREIGN_KEYS = """
    DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'public.{0}'::regclass AND contype = 'f' LOOP
            EXECUTE format('ALTER TABLE public.{0} DROP CONSTRAINT %I', c.conname);
        END LOOP;
    END $$"""

FAULTS: tuple[Fault, ...] = (
    Fault(Layer.AUTHENTICATION, "other sites' requests are taken", lambda: replace(edge._check_same_origin, _nothing)),
    Fault(Layer.AUTHENTICATION, "no permission is asked", lambda: _set(Principal, require=_nothing)),
    Fault(Layer.AUTHENTICATION, "cookies are read leniently", lambda: replace(cookies.read_cookie, _read_any_cookie)),
    Fault(Layer.AUTHENTICATION, "cookies have no flags", lambda: replace(cookies.set_cookie, _bare_cookie)),
    Fault(
        Layer.AUTHENTICATION,
        "sessions that have ended go on",
        gate=(("open_session", "s.revoked_at IS NULL AND", ""),),
    ),
    Fault(Layer.DATABASE, "the ORM adds no filter", lambda: replace(scoping.tenant_filters, _no_filters)),
    Fault(Layer.DATABASE, "what is sent is not looked at", lambda: replace(scoping.check_emitted, _nothing)),
    Fault(Layer.DATABASE, "the ORM neither filters nor looks", _without_orm),
    Fault(
        Layer.DATABASE,
        "no row-level security on any table",
        statements=_of_tables("ALTER TABLE public.{} DISABLE ROW LEVEL SECURITY"),
    ),
    Fault(Layer.DATABASE, "the policies of networks admit all", statements=_of_tables(_OPEN_POLICIES, "networks")),
    Fault(
        Layer.DATABASE,
        "bindings need no signature",
        gate=(
            (
                "current_tenant",
                "IS DISTINCT FROM sha256(convert_to(gate.signature(left(binding, 36)), 'UTF8'))",
                "IS NULL",
            ),
        ),
    ),
    Fault(
        Layer.DATABASE,
        "portals can read the signing keys",
        statements=(
            "GRANT USAGE ON SCHEMA gate TO platforma_portal",
            "GRANT SELECT ON gate.signing_keys TO platforma_portal",
        ),
    ),
    Fault(Layer.NETWORK, "ports may send from anywhere", lambda: _set(ports, lies_within=_yes)),
    Fault(Layer.NETWORK, "a server's networks are not looked up", _unlooked(interfaces, Network)),
    Fault(
        Layer.NETWORK,
        "a rule's remote group is not looked up",
        lambda: _set(security_groups, _lock_groups=_wait_for_nothing),
    ),
    Fault(Layer.NETWORK, "a floating IP's port is not looked up", lambda: _set(floating_ips, _find_target=_any_target)),
    Fault(Layer.STORAGE, "a volume's server is not looked up", _unlooked(storage, Server)),
    Fault(Layer.STORAGE, "a volume's source is not looked up", lambda: _set(storage, _check_source=_any_source)),
    Fault(
        Layer.STORAGE,
        "attachments may point anywhere",
        statements=_of_tables(_DROP_FOREIGN_KEYS, "volume_attachments"),
    ),
    Fault(Layer.STORAGE, "erasures' records are not chained", statements=_of_tables(_DROP_TRIGGERS, "erasure_records")),
    Fault(Layer.BILLING, "webhooks need no signature", lambda: replace(webhooks.is_signed, _yes)),
    Fault(
        Layer.BILLING,
        "the policies of invoices and payments admit all",
        statements=_of_tables(_OPEN_POLICIES, "invoices", "payments", "payment_methods"),
    ),
    Fault(Layer.BILLING, "servers are not metered", statements=_of_tables(_DROP_TRIGGERS, "servers")),
    Fault(
        Layer.PORTAL,
        "sessions are not bound to hosts",
        gate=(
            (
                "open_session",
                "d.host = open_session.host AND d.portal_id = s.portal_id AND d.is_proven",
                "true",
            ),
        ),
    ),
    Fault(
        Layer.PORTAL,
        "unknown hosts are the first portal's",
        gate=(
            (
                "find_portal",
                "d.host = find_portal.host AND p.status = 'active'",
                "p.status = 'active' ORDER BY d.host LIMIT 1",
            ),
        ),
    ),
    Fault(
        Layer.PORTAL,
        "pages may run anything",
        lambda: _set(edge, CONTENT_SECURITY_POLICY=b"default-src * 'unsafe-inline'"),
    ),
    Fault(Layer.PORTAL, "pages may be framed", lambda: _set(edge, _COMMON_HEADERS=((b"vary", b"Host, Cookie"),))),
)


def by_name() -> Mapping[str, Fault]:
    """Return the faults by their names."""
    return {fault.name: fault for fault in FAULTS}
