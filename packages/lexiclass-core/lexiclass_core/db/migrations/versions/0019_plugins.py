"""The plugins that workers have, with the schemas of their parameters.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "plugin_catalog",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column(
            "content", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plugin_catalog")),
        sa.UniqueConstraint("digest", name=op.f("uq_plugin_catalog_digest")),
    )
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON plugin_catalog FOR EACH ROW "
        "EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
    op.add_column("worker", sa.Column("plugins_digest", sa.Text()))


def downgrade() -> None:
    op.drop_column("worker", "plugins_digest")
    op.drop_table("plugin_catalog")
