"""Promoting, retiring and pruning model versions, and the history of it.

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHECKS = {
    "promoted_is_usable": "promoted_at IS NULL OR (status = 'ready' AND retired_at IS NULL)",
    "pruned_is_out_of_use": "pruned_at IS NULL OR status <> 'ready' OR retired_at IS NOT NULL",
    "only_pruned_loses_files": "files_removed_at IS NULL OR pruned_at IS NOT NULL",
}


def object_column(name: str) -> sa.Column[Any]:
    empty = sa.text("'{}'::jsonb")
    return sa.Column(name, postgresql.JSONB(), server_default=empty, nullable=False)


def moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True))


def columns() -> list[sa.Column[Any]]:
    return [
        object_column("manifest"),
        moment("promoted_at"),
        moment("retired_at"),
        moment("pruned_at"),
        moment("files_removed_at"),
        sa.Column("test_errors", sa.ARRAY(sa.BigInteger())),
    ]


def upgrade() -> None:
    for column in columns():
        op.add_column("model", column)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_model_{name}"), "model", condition)
    op.create_index(
        "uq_model_field_id_promoted",
        "model",
        ["field_id"],
        unique=True,
        postgresql_where=sa.text("promoted_at IS NOT NULL"),
    )
    now = sa.text("now()")
    op.create_table(
        "model_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("field_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("done_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("training_digest", sa.Text()),
        object_column("details"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint(
            "action IN ('trained', 'promoted', 'rolled_back', 'retired', 'reinstated', 'pruned')",
            name=op.f("ck_model_event_action"),
        ),
        sa.ForeignKeyConstraint(
            ["field_id", "version"],
            ["model.field_id", "model.version"],
            name=op.f("fk_model_event_field_id_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_event")),
    )
    op.create_index(op.f("ix_model_event_field_id_id"), "model_event", ["field_id", "id"])
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON model_event "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )


def downgrade() -> None:
    op.drop_table("model_event")
    op.drop_index("uq_model_field_id_promoted", "model")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_model_{name}"), "model")
    for column in reversed(columns()):
        op.drop_column("model", column.name)
