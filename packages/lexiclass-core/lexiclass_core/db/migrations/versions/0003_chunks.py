"""Tasks that leave their work to others, and when the task of a prediction began.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("parent_id", sa.BigInteger()))
    op.add_column("task", sa.Column("num_chunks", sa.Integer()))
    op.create_foreign_key(
        op.f("fk_task_parent_id"), "task", "task", ["parent_id"], ["id"], ondelete="CASCADE"
    )
    op.create_index(
        op.f("ix_task_parent_id"),
        "task",
        ["parent_id"],
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.add_column(
        "prediction",
        sa.Column(
            "predicted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("prediction", "predicted_at")
    op.drop_index(op.f("ix_task_parent_id"), "task")
    op.drop_constraint(op.f("fk_task_parent_id"), "task")
    op.drop_column("task", "num_chunks")
    op.drop_column("task", "parent_id")
