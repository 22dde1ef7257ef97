"""Alembic's environment. The connection and the metadata are handed in by `platforma.database.migrate`."""

from typing import Any

from alembic import context
from alembic.operations.ops import CreateTableOp, MigrationScript, UpgradeOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData
from sqlalchemy.schema import SchemaItem

from platforma.database.census import is_isolated
from platforma.database.isolation import IsolateTable, Isolation
from platforma.database.tables import Base

metadata: MetaData = context.config.attributes["metadata"]


def include_object(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Leave out what others made: the job queue's tables and Alembic's own."""
    return getattr(item, "schema", None) != "jobs" and name != "alembic_version"


def isolate_tables(migration: MigrationContext, revision: object, scripts: list[MigrationScript]) -> None:
    """Write into a migration the isolation of each table that it makes, and of each that is not as declared."""
    live: Any = context.config.attributes["connection"].connection.driver_connection
    models = {mapper.class_.__table__.fullname: mapper.class_ for mapper in Base.registry.mappers}
    for script in scripts:
        upgrade = script.upgrade_ops
        if not isinstance(upgrade, UpgradeOps):
            continue
        tables = [
            ".".join(filter(None, (operation.schema, operation.table_name)))
            for operation in upgrade.ops
            if isinstance(operation, CreateTableOp)
        ]
        tables += [name for name, model in models.items() if name not in tables and not is_isolated(live, model)]
        upgrade.ops += [IsolateTable(Isolation.of(models[name])) for name in tables]


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_object=include_object,
    compare_server_default=False,
    process_revision_directives=isolate_tables,
    version_table_schema="public",
)
context.run_migrations()
