"""which node makes a learning, and when it last said so"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column("learnings", sa.Column("node", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("learnings", sa.Column("process", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("learnings", sa.Column("seen_s", sa.Float(), nullable=True))
