"""An index is known by the digest of its manifest, as a model version is.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_index",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("manifests", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
            name=op.f("fk_project_index_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_index")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_project_index_project_id_name")),
    )
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON project_index "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
    # The projects of before have indexes that nothing is known of; those to come have none.
    op.add_column(
        "project",
        sa.Column("takes_unknown_indexes", sa.Boolean(), server_default=sa.true(), nullable=False),
    )
    op.alter_column("project", "takes_unknown_indexes", server_default=sa.false())


def downgrade() -> None:
    op.drop_column("project", "takes_unknown_indexes")
    op.drop_table("project_index")


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
