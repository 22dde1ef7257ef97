"""Volume types on offer.

There is no way back but a newer migration: `downgrade` is not supported, for it would lose rows.
"""

import sqlalchemy as sa
from alembic import op

from platforma.database.isolation import isolate_table

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.add_column("volume_types", sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("volume_types", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("volume_types", sa.Column("proven_method", sa.Text(), nullable=True))
    op.drop_column("volume_types", "proof")
    op.drop_constraint(op.f("volume_types_is_offered_check"), "volume_types", type_="check")
    op.drop_column("volume_types", "is_offered")
    offered = (
        "is_present AND wanted_at IS NOT NULL AND proven_at IS NOT NULL AND coalesce(proven_method = method, false)"
    )
    op.add_column(
        "volume_types", sa.Column("is_offered", sa.Boolean(), sa.Computed(offered, persisted=True), nullable=False)
    )
    isolate_table(
        op,
        "volume_types",
        grants={
            "platforma_portal": ("SELECT",),
            "platforma_worker": ("SELECT",),
            "platforma_provisioner": ("SELECT", "INSERT", "UPDATE", "DELETE"),
            "platforma_operator": ("SELECT", "UPDATE (method, updated_at, wanted_at)"),
        },
        tenant_column=None,
    )
