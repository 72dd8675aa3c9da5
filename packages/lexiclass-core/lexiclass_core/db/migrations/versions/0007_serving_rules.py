"""Fields of which nothing serves that was not promoted.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BEFORE = "action IN ('trained', 'promoted', 'rolled_back', 'retired', 'reinstated', 'pruned')"
AFTER = BEFORE.removesuffix(")") + ", 'rule_changed')"


def upgrade() -> None:
    op.add_column("field", sa.Column("serve", sa.Text(), server_default="newest", nullable=False))
    op.create_check_constraint(op.f("ck_field_serve"), "field", "serve IN ('newest', 'promoted')")
    op.drop_constraint(op.f("ck_model_event_action"), "model_event")
    op.create_check_constraint(op.f("ck_model_event_action"), "model_event", AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM model_event WHERE action = 'rule_changed'")
    op.drop_constraint(op.f("ck_model_event_action"), "model_event")
    op.create_check_constraint(op.f("ck_model_event_action"), "model_event", BEFORE)
    op.drop_constraint(op.f("ck_field_serve"), "field")
    op.drop_column("field", "serve")
