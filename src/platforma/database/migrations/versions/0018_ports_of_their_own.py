"""Ports of their own.

There is no way back but a newer migration: `downgrade` is not supported, for it would lose rows.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from platforma.database.isolation import isolate_table

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_CONSTRAINTS = (
    "pkey",
    "tenant_id_fkey",
    "tenant_id_network_id_fkey",
    "tenant_id_server_id_fkey",
    "tenant_id_server_id_network_id_key",
)
_READ = ("ports", "servers")


def upgrade() -> None:
    """Make the change."""
    op.rename_table("server_networks", "ports")
    for name in _CONSTRAINTS:
        op.execute(f"ALTER TABLE ports RENAME CONSTRAINT server_networks_{name} TO ports_{name}")
    op.execute("ALTER INDEX server_networks_tenant_id_network_id_idx RENAME TO ports_tenant_id_network_id_idx")
    op.alter_column("ports", "cloud_port_id", new_column_name="cloud_id")
    op.add_column("ports", sa.Column("name", sa.Text(), server_default="", nullable=False))
    op.add_column("ports", sa.Column("description", sa.Text(), server_default="", nullable=False))
    op.add_column("ports", sa.Column("status", sa.Text(), server_default="pending", nullable=False))
    op.add_column("ports", sa.Column("status_reason", sa.Text(), nullable=True))
    op.add_column("ports", sa.Column("deletion_requested_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("ports", sa.Column("goes_with_server", sa.Boolean(), server_default="true", nullable=False))
    op.add_column(
        "ports", sa.Column("fixed_addresses", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column("ports", sa.Column("addresses", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column(
        "ports", sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    op.alter_column("ports", "server_id", existing_type=sa.UUID(), nullable=True)
    for table in _READ:  # the owner is under row-level security too
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE ports SET name = servers.name,"
        " status = CASE WHEN ports.cloud_id IS NULL THEN 'pending' ELSE 'active' END,"
        " addresses = ARRAY(SELECT item->>'address' FROM jsonb_array_elements(servers.addresses) AS item"
        " WHERE item->>'network_id' = ports.network_id::text)"
        " FROM servers WHERE servers.tenant_id = ports.tenant_id AND servers.id = ports.server_id"
    )
    for table in _READ:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.alter_column("ports", "name", server_default=None)
    op.alter_column("ports", "goes_with_server", server_default="false")
    op.drop_column("servers", "addresses")
    op.create_table(
        "port_security_groups",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("port_id", sa.Uuid(), nullable=False),
        sa.Column("security_group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "port_id"],
            ["ports.tenant_id", "ports.id"],
            name=op.f("port_security_groups_tenant_id_port_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "security_group_id"],
            ["security_groups.tenant_id", "security_groups.id"],
            name=op.f("port_security_groups_tenant_id_security_group_id_fkey"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("port_security_groups_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("port_security_groups_pkey")),
        sa.UniqueConstraint(
            "tenant_id",
            "port_id",
            "security_group_id",
            name=op.f("port_security_groups_tenant_id_port_id_security_group_id_key"),
        ),
    )
    op.create_index(
        op.f("port_security_groups_tenant_id_security_group_id_idx"),
        "port_security_groups",
        ["tenant_id", "security_group_id"],
        unique=False,
    )
    for table in ("ports", "port_security_groups"):  # the new columns too
        isolate_table(
            op,
            table,
            grants={
                "platforma_portal": ("SELECT", "INSERT", "UPDATE", "DELETE"),
                "platforma_worker": ("SELECT", "INSERT", "UPDATE", "DELETE"),
                "platforma_provisioner": ("SELECT", "INSERT", "UPDATE", "DELETE"),
            },
        )
