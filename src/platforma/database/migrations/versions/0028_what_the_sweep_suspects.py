"""What the sweep suspects.

There is no way back but a newer migration: `downgrade` is not supported, for it would lose rows.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from platforma.database.isolation import isolate_table

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.add_column(
        "sweeps",
        sa.Column("suspected", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    isolate_table(
        op,
        "sweeps",
        grants={"platforma_worker": ("SELECT", "UPDATE"), "platforma_provisioner": ("SELECT", "DELETE")},
        gate_reads=True,
    )
