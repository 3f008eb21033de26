"""whose a label's source says that its study is, by key, and by which number the study was found"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column("labels", sa.Column("named", sa.Text(), nullable=False, server_default=""))
    op.add_column("labels", sa.Column("found_by", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("labels", sa.Column("settled_s", sa.Float(), nullable=False, server_default="0"))
    op.create_index("ix_labels_found_by", "labels", ["found_by"])
