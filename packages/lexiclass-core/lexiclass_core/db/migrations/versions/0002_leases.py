"""Leases, cancelling, delays and idempotency keys of tasks; final tasks stay as they are.

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("queue", sa.Text()),
        sa.Column("crashes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True)),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True)),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_token", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True)),
        sa.Column("idempotency_key", sa.Text()),
    ]


def upgrade() -> None:
    for column in columns():
        op.add_column("task", column)
    op.create_unique_constraint(
        op.f("uq_task_project_id_idempotency_key"), "task", ["project_id", "idempotency_key"]
    )
    op.execute(
        """
        CREATE FUNCTION lexiclass_keep_final_task() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'task % is %: it never changes again', OLD.id, OLD.status
                USING ERRCODE = 'check_violation';
        END
        $$
        """
    )
    # Of workers too old to know leases, and of people with a prompt.
    op.execute(
        """
        CREATE TRIGGER keep_final BEFORE UPDATE ON task FOR EACH ROW
        WHEN (OLD.status IN ('succeeded', 'failed', 'cancelled')
              AND (NEW.status, NEW.result, NEW.error)
                  IS DISTINCT FROM (OLD.status, OLD.result, OLD.error))
        EXECUTE FUNCTION lexiclass_keep_final_task()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_final ON task")
    op.execute("DROP FUNCTION lexiclass_keep_final_task()")
    op.drop_constraint(op.f("uq_task_project_id_idempotency_key"), "task")
    for column in reversed(columns()):
        op.drop_column("task", column.name)
