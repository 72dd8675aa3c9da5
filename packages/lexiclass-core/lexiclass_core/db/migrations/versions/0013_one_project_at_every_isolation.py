"""Labels and predictions are of one project at every level of isolation.

Revision ID: 0013
Revises: 0012

A transaction that is REPEATABLE READ or SERIALIZABLE sees documents and fields as they were when it
began, and so the project that one of them has left since. One that writes a label or a prediction
locks both: PostgreSQL refuses to lock what has changed since (40001), and whoever moves one later
waits for it and sees what it wrote. One that moves a document or a field cannot see what others
have written since it began: it is refused.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LOCK = """
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        IF TG_LEVEL = 'STATEMENT' THEN
            PERFORM 1 FROM field WHERE id IN (SELECT field_id FROM written) ORDER BY id FOR SHARE;
            PERFORM 1 FROM document WHERE id IN (SELECT document_id FROM written)
            ORDER BY id FOR SHARE;
        ELSE
            PERFORM 1 FROM field WHERE id = NEW.field_id FOR SHARE;
            PERFORM 1 FROM document WHERE id = NEW.document_id FOR SHARE;
        END IF;
    END IF;
"""

REFUSE = """
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION '% % cannot be moved in a transaction that is %, which does not see what '
            'others have written since it began: move it in one that is READ COMMITTED',
            TG_TABLE_NAME, NEW.id, upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
"""

# As they were before, with a place for what they do first.
OF_WRITES = """
CREATE OR REPLACE FUNCTION lexiclass_require_one_project() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    stray record;
BEGIN
    -- first
    IF TG_LEVEL = 'STATEMENT' THEN
        SELECT document.id AS document_id, document.project_id AS document_project,
            field.id AS field_id, field.project_id AS field_project INTO stray
        FROM written JOIN document ON document.id = written.document_id
        JOIN field ON field.id = written.field_id
        WHERE document.project_id <> field.project_id LIMIT 1;
    ELSE
        SELECT document.id AS document_id, document.project_id AS document_project,
            field.id AS field_id, field.project_id AS field_project INTO stray
        FROM document, field
        WHERE document.id = NEW.document_id AND field.id = NEW.field_id
            AND document.project_id <> field.project_id;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION
            'document % is of project %, and field % of project %: both must be of one',
            stray.document_id, stray.document_project, stray.field_id, stray.field_project
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME,
                CONSTRAINT = 'ck_' || TG_TABLE_NAME || '_one_project';
    END IF;
    RETURN NULL;
END
$$
"""

OF_MOVES = """
CREATE OR REPLACE FUNCTION lexiclass_require_no_strays() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    joined text;
    is_astray boolean;
BEGIN
    -- first
    LOCK TABLE document_label, prediction IN SHARE ROW EXCLUSIVE MODE;
    FOREACH joined IN ARRAY ARRAY['document_label', 'prediction'] LOOP
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM %1$I '
            'JOIN document ON document.id = %1$I.document_id '
            'JOIN field ON field.id = %1$I.field_id WHERE %1$I.%2$I = $1 '
            'AND document.project_id <> field.project_id)',
            joined, TG_TABLE_NAME || '_id')
            INTO is_astray USING NEW.id;
        IF is_astray THEN
            RAISE EXCEPTION
                '% % has rows of % in project %: delete these before it goes to project %',
                TG_TABLE_NAME, NEW.id, joined, OLD.project_id, NEW.project_id
                USING ERRCODE = 'check_violation', TABLE = joined,
                    CONSTRAINT = 'ck_' || joined || '_one_project';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$
"""

# Replacing a function takes back whose rights it has, and which schema its names are of.
FOR_OWNER = """
DO $do$ BEGIN
    EXECUTE format(
        'ALTER FUNCTION function_name() SECURITY DEFINER SET search_path = %s, pg_temp', (
            SELECT string_agg(quote_ident(name), ', ' ORDER BY number)
            FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, number)
        )
    );
END $do$
"""


def upgrade() -> None:
    replace_functions(LOCK, REFUSE)


def downgrade() -> None:
    replace_functions("", "")


def replace_functions(before_writes: str, before_moves: str) -> None:
    op.execute(OF_WRITES.replace("-- first", before_writes))
    op.execute(OF_MOVES.replace("-- first", before_moves))
    for function in ("lexiclass_require_one_project", "lexiclass_require_no_strays"):
        op.execute(FOR_OWNER.replace("function_name", function))
