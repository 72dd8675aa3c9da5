"""Workers register; the tables say which workers they serve.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OLDEST_SERVED = "0005"
"""Workers of older tables do not work with these. See :mod:`lexiclass_core.db.schema`."""


def upgrade() -> None:
    op.create_table(
        "worker",
        _id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("group_pid", sa.Integer(), nullable=False),
        sa.Column("queues", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        _now("seen_at"),
        sa.Column("away_since", sa.DateTime(timezone=True)),
        sa.Column("away_until", sa.DateTime(timezone=True)),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
        sa.UniqueConstraint("name", name=op.f("uq_worker_name")),
    )
    op.create_table(
        "schema_support",
        _id(),
        sa.Column("serves_from", sa.Text(), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_support")),
    )
    for table in ("worker", "schema_support"):
        op.execute(
            f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
        )
    op.execute(
        sa.text("INSERT INTO schema_support (serves_from) VALUES (:oldest)").bindparams(
            oldest=OLDEST_SERVED
        )
    )


def downgrade() -> None:
    op.drop_table("schema_support")
    op.drop_table("worker")


def _id() -> "sa.Column[int]":
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
