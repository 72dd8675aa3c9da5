"""Priorities of tasks; queues that are paused.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("priority", sa.Integer()))
    op.create_table(
        "queue_pause",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        *(
            sa.Column(
                name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            )
            for name in ("created_at", "updated_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_pause")),
        sa.UniqueConstraint("queue", name=op.f("uq_queue_pause_queue")),
    )
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON queue_pause "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )


def downgrade() -> None:
    op.drop_table("queue_pause")
    op.drop_column("task", "priority")
