"""The console: who is let in, what they did, and indexes for what it lists.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ROLES = "role IN ('viewer', 'operator', 'admin')"


def upgrade() -> None:
    _create_table(
        "access_token",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('login', 'session')", name=op.f("ck_access_token_kind")),
        sa.UniqueConstraint("digest", name=op.f("uq_access_token_digest")),
    )
    op.create_index(op.f("ix_access_token_expires_at"), "access_token", ["expires_at"])
    _create_table(
        "audit_event",
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column(
            "details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.create_index(
        op.f("ix_task_correlation_id"),
        "task",
        ["correlation_id"],
        postgresql_where=sa.text("correlation_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_task_type_id"), "task", ["type", "id"])
    op.create_index(
        "ix_task_queue_id_waiting",
        "task",
        ["queue", "id"],
        postgresql_where=sa.text("status IN ('pending', 'retrying')"),
    )
    failed = sa.text("status = 'failed'")
    code = sa.text("(error ->> 'code')")
    op.create_index("ix_task_error_code_id", "task", [code, "id"], postgresql_where=failed)
    op.create_index(op.f("ix_task_finished_at"), "task", ["finished_at"], postgresql_where=failed)


def downgrade() -> None:
    for name in ("finished_at", "error_code_id", "queue_id_waiting", "type_id", "correlation_id"):
        op.drop_index(f"ix_task_{name}", "task")
    op.drop_table("audit_event")
    op.drop_table("access_token")


def _create_table(name: str, *columns: sa.schema.SchemaItem) -> None:
    now = sa.text("now()")
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *columns,
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint(ROLES, name=op.f(f"ck_{name}_role")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.execute(
        f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {name} FOR EACH ROW "
        "EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
