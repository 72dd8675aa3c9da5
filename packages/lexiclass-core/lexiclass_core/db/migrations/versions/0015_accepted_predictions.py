"""Predictions that count without a look, and those that somebody is to review.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("prediction", sa.Column("is_accepted", sa.Boolean()))


def downgrade() -> None:
    op.drop_column("prediction", "is_accepted")
