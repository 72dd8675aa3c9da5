"""What a version must show before it is promoted, and what evaluations predicted wrong.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BEFORE = (
    "action IN ('trained', 'promoted', 'rolled_back', 'retired', 'reinstated', 'pruned', "
    "'rule_changed')"
)
AFTER = BEFORE.removesuffix(")") + ", 'refused', 'gates_changed')"


def upgrade() -> None:
    op.add_column(
        "field",
        sa.Column("config", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_field_config_is_object"), "field", "jsonb_typeof(config) = 'object'"
    )
    op.create_check_constraint(
        op.f("ck_field_config_is_small"), "field", "octet_length(config::text) <= 10000"
    )
    op.add_column("model", sa.Column("test_error_labels", sa.ARRAY(sa.Text())))
    op.add_column("model", sa.Column("test_error_predictions", sa.ARRAY(sa.Text())))
    op.drop_constraint(op.f("ck_model_event_action"), "model_event")
    op.create_check_constraint(op.f("ck_model_event_action"), "model_event", AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM model_event WHERE action IN ('refused', 'gates_changed')")
    op.drop_constraint(op.f("ck_model_event_action"), "model_event")
    op.create_check_constraint(op.f("ck_model_event_action"), "model_event", BEFORE)
    op.drop_column("model", "test_error_predictions")
    op.drop_column("model", "test_error_labels")
    op.drop_constraint(op.f("ck_field_config_is_small"), "field")
    op.drop_constraint(op.f("ck_field_config_is_object"), "field")
    op.drop_column("field", "config")
