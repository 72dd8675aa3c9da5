"""A project has a secret with which the shards of its builds under way are signed.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of 122 bits that nobody can guess, and of each project that is there another.
    op.add_column(
        "project",
        sa.Column(
            "build_key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("project", "build_key")
