"""reports that readers saved, and which findings of ours they correct"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "reader_reports",
        sa.Column("instance_key", KEY, nullable=False),
        sa.Column("observer", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["instance_key"], ["instances.instance_key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance_key"),
    )
    op.create_table(
        "reader_findings",
        sa.Column("finding_key", KEY, nullable=False),
        sa.Column("instance_key", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=128), nullable=False),
        sa.Column("our_tracking_uid", sa.String(length=64), nullable=True),
        sa.Column("our_report_uid", sa.String(length=64), nullable=True),
        sa.Column("how", sa.String(length=32), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("linked_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["instance_key"], ["reader_reports.instance_key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("finding_key"),
        sa.UniqueConstraint("instance_key", "number"),
    )
    op.create_index("ix_reader_findings_our_tracking_uid", "reader_findings", ["our_tracking_uid"])
