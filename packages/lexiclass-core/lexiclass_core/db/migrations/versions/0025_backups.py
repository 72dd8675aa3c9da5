"""The backups that were made, so that one that is missing can be told.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backup",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        *(
            sa.Column(
                name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            )
            for name in ("created_at", "updated_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup")),
    )
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON backup "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )


def downgrade() -> None:
    op.drop_table("backup")
