"""Labels that look wrong.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATUSES = ("open", "confirmed", "corrected", "dismissed")

# As who owns the tables: whoever may change labels need not have rights to these rows.
NOTE_CORRECTION = """
CREATE FUNCTION lexiclass_note_corrected_label() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.document_id, OLD.field_id) = (NEW.document_id, NEW.field_id) THEN
        UPDATE label_suspect SET status = 'corrected'
        WHERE document_id = OLD.document_id AND field_id = OLD.field_id AND class_id = OLD.class_id
            AND status IN ('open', 'confirmed');
    ELSE
        -- A label of something else, of which nothing was found.
        DELETE FROM label_suspect
        WHERE document_id = OLD.document_id AND field_id = OLD.field_id;
    END IF;
    RETURN NEW;
END
$$
"""

FOR_OWNER = """
DO $do$ BEGIN
    EXECUTE format(
        'ALTER FUNCTION lexiclass_note_corrected_label() '
        'SECURITY DEFINER SET search_path = %s, pg_temp', (
            SELECT string_agg(quote_ident(name), ', ' ORDER BY number)
            FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, number)
        )
    );
END $do$
"""


def upgrade() -> None:
    op.create_table(
        "label_suspect",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("field_id", sa.BigInteger(), nullable=False),
        sa.Column("class_id", sa.BigInteger(), nullable=False),
        sa.Column("suggested_class_id", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reason", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column(
            "neighbours", ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.CheckConstraint(
            f"status IN ({', '.join(map(repr, STATUSES))})", name=op.f("ck_label_suspect_status")
        ),
        sa.CheckConstraint(
            "score >= 0 AND score <= 1", name=op.f("ck_label_suspect_score_is_share")
        ),
        sa.ForeignKeyConstraint(
            ["document_id", "field_id"],
            ["document_label.document_id", "document_label.field_id"],
            name=op.f("fk_label_suspect_document_id_field_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["field_id", "class_id"],
            ["field_class.field_id", "field_class.id"],
            name=op.f("fk_label_suspect_field_id_class_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["field_id", "suggested_class_id"],
            ["field_class.field_id", "field_class.id"],
            name=op.f("fk_label_suspect_field_id_suggested"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_suspect")),
        sa.UniqueConstraint(
            "document_id",
            "field_id",
            "class_id",
            name=op.f("uq_label_suspect_document_id_field_id_class_id"),
        ),
    )
    for columns in (["field_id", "status", "score"], ["class_id"], ["suggested_class_id"]):
        op.create_index(op.f(f"ix_label_suspect_{'_'.join(columns)}"), "label_suspect", columns)
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON label_suspect "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
    op.execute(NOTE_CORRECTION)
    op.execute(FOR_OWNER)
    op.execute("REVOKE ALL ON FUNCTION lexiclass_note_corrected_label() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER correction_noted BEFORE UPDATE OF document_id, field_id, class_id "
        "ON document_label FOR EACH ROW WHEN ((OLD.document_id, OLD.field_id, OLD.class_id) "
        "IS DISTINCT FROM (NEW.document_id, NEW.field_id, NEW.class_id)) "
        "EXECUTE FUNCTION lexiclass_note_corrected_label()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER correction_noted ON document_label")
    op.execute("DROP FUNCTION lexiclass_note_corrected_label()")
    op.drop_table("label_suspect")


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
