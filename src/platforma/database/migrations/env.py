"""Alembic's environment. The connection and the metadata are handed in by `platforma.database.migrate`."""

from alembic import context
from alembic.operations.ops import CreateTableOp, MigrationScript, UpgradeOps
from sqlalchemy import MetaData
from sqlalchemy.schema import SchemaItem

from platforma.database.isolation import IsolateTable, Isolation
from platforma.database.tables import Base

metadata: MetaData = context.config.attributes["metadata"]


def include_object(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Leave out what others made: the job queue's tables and Alembic's own."""
    return getattr(item, "schema", None) != "jobs" and name != "alembic_version"


def isolate_new_tables(migration: object, revision: object, scripts: list[MigrationScript]) -> None:
    """Write the isolation of each new table into the migration that makes it."""
    models = {mapper.class_.__table__.fullname: mapper.class_ for mapper in Base.registry.mappers}
    for script in scripts:
        upgrade = script.upgrade_ops
        if not isinstance(upgrade, UpgradeOps):
            continue
        for operation in list(upgrade.ops):
            if isinstance(operation, CreateTableOp):
                name = ".".join(filter(None, (operation.schema, operation.table_name)))
                upgrade.ops.append(IsolateTable(Isolation.of(models[name])))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_object=include_object,
    compare_server_default=False,
    process_revision_directives=isolate_new_tables,
    version_table_schema="public",
)
context.run_migrations()
