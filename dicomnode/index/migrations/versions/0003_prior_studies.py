"""the prior study that a study is compared with"""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table('priors',
    sa.Column('study_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('prior_study_uid', sa.String(length=64), nullable=True),
    sa.Column('asked_s', sa.Float(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['study_key'], ['studies.study_key'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('study_key')
    )
    op.create_index(op.f('ix_priors_prior_study_uid'), 'priors', ['prior_study_uid'], unique=False)
