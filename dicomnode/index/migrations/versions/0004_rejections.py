"""what a PACS rejects, and results withdrawn because of it"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "rejections",
        sa.Column("instance_key", KEY, nullable=False),
        sa.Column("study_key", KEY, nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("meaning", sa.String(length=64), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["instance_key"], ["instances.instance_key"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["study_key"], ["studies.study_key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance_key"),
    )
    op.create_index("ix_rejections_study_key", "rejections", ["study_key"])
    op.add_column("runs", sa.Column("withdrawn_s", sa.Float(), nullable=True))
