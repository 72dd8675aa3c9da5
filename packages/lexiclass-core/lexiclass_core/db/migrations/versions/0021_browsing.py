"""Indexes for what the console lists of documents and predictions.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_document_project_id_external_id_c",
        "document",
        ["project_id", sa.text('external_id COLLATE "C"')],
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_document_label_class_id_document_id"),
        "document_label",
        ["class_id", "document_id"],
    )
    op.drop_index(op.f("ix_document_label_class_id"), "document_label")
    op.create_index(
        "ix_prediction_to_review",
        "prediction",
        ["field_id", sa.text("(metadata @> '{\"unfamiliar\": true}'::jsonb)"), "confidence",
         "document_id"],
        postgresql_where=sa.text("is_accepted IS FALSE"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_prediction_to_review", "prediction")
    op.create_index(op.f("ix_document_label_class_id"), "document_label", ["class_id"])
    op.drop_index(op.f("ix_document_label_class_id_document_id"), "document_label")
    op.drop_index("ix_document_project_id_external_id_c", "document")
