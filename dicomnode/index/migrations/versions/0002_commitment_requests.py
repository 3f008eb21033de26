"""commitment requests are kept, so that a late report is understood"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step; requests that are open now stay open."""
    op.create_table(
        "commitment_requests",
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("delivery_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("requested_s", sa.Float(), nullable=False),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_key"], ["deliveries.delivery_key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("transaction_uid", "delivery_key"),
    )
    op.create_index("ix_commitment_requests_delivery_key", "commitment_requests", ["delivery_key"])
    op.execute(
        "INSERT INTO commitment_requests (transaction_uid, delivery_key, requested_s, taken) "
        "SELECT transaction_uid, delivery_key, requested_s, requested_s IS NOT NULL FROM deliveries "
        "WHERE transaction_uid IS NOT NULL AND requested_s IS NOT NULL"
    )
