"""Ids that documents have elsewhere; labels and predictions of one project; deleted projects.

Revision ID: 0006
Revises: 0005
"""

import logging

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JOINED = ("document_label", "prediction")
"""Tables whose rows join a document and a field."""

MOVED = ("document", "field")
"""What can be moved to another project with such rows."""

STRAYS = """
    SELECT count(*) FROM {table} JOIN document ON document.id = {table}.document_id
    JOIN field ON field.id = {table}.field_id WHERE document.project_id <> field.project_id
"""

FOR_OWNER = """
    DO $$ BEGIN
        EXECUTE format(
            'ALTER FUNCTION {function}() SECURITY DEFINER SET search_path = %s, pg_temp', (
                SELECT string_agg(quote_ident(name), ', ' ORDER BY number)
                FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, number)
            )
        );
    END $$
"""

_log = logging.getLogger("alembic.runtime.migration")


def upgrade() -> None:
    # Before anything is locked: this reads both tables whole.
    count = op.get_bind().scalar
    strays = {table: count(sa.text(STRAYS.format(table=table))) for table in JOINED}
    op.add_column("document", sa.Column("external_id", sa.Text()))
    op.create_check_constraint(
        op.f("ck_document_external_id_length"),
        "document",
        "char_length(external_id) BETWEEN 1 AND 500",
    )
    op.create_index(
        "uq_document_project_id_external_id",
        "document",
        ["project_id", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    refuse_strays()
    note_deleted_projects()
    let_erasures_rewrite_final_tasks()
    for table, number in strays.items():
        if number:
            # They stay: nobody asked to have them deleted. Nothing reads them any more.
            _log.warning(
                "%d rows of %s join a document and a field of different projects: they are left "
                "as they are, and not used; docs/PROJECTS.md says how to find them",
                number,
                table,
            )


def act_for_owner(function: str) -> None:
    """Let a trigger act for the owner of the tables, as foreign keys do.

    Whoever may write a label or delete a project need not be allowed to read or write anything
    else. Names mean what they mean now: schemas of temporary tables, where anybody may put what
    has the name of a table, come first unless they are named. Nor may anybody else use it in a
    trigger of an own table.
    See https://www.postgresql.org/docs/current/sql-createfunction.html
    """
    op.execute(FOR_OWNER.format(function=function))
    op.execute(f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC")


def refuse_strays() -> None:
    # Inserts are looked at once for a statement: a COPY of 100,000 rows asks one query.
    # Updates one by one, if they change what is joined: few do, and the others cost nothing.
    op.execute(
        """
        CREATE FUNCTION lexiclass_require_one_project() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            stray record;
        BEGIN
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
    )
    act_for_owner("lexiclass_require_one_project")
    for table in JOINED:
        op.execute(
            f"""
            CREATE TRIGGER one_project_inserted AFTER INSERT ON {table}
            REFERENCING NEW TABLE AS written
            FOR EACH STATEMENT EXECUTE FUNCTION lexiclass_require_one_project()
            """
        )
        op.execute(
            f"""
            CREATE TRIGGER one_project_updated AFTER UPDATE OF document_id, field_id ON {table}
            FOR EACH ROW WHEN ((OLD.document_id, OLD.field_id)
                IS DISTINCT FROM (NEW.document_id, NEW.field_id))
            EXECUTE FUNCTION lexiclass_require_one_project()
            """
        )
    # Rare, so it may keep the writers of both tables waiting: those that wrote before are seen, and
    # those that write after see the new project.
    op.execute(
        """
        CREATE FUNCTION lexiclass_require_no_strays() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            joined text;
            is_astray boolean;
        BEGIN
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
    )
    act_for_owner("lexiclass_require_no_strays")
    for table in MOVED:
        op.execute(
            f"""
            CREATE TRIGGER one_project AFTER UPDATE OF project_id ON {table} FOR EACH ROW
            WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
            EXECUTE FUNCTION lexiclass_require_no_strays()
            """
        )


def note_deleted_projects() -> None:
    now = sa.text("now()")
    op.create_table(
        "project_removal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_removal")),
        sa.UniqueConstraint("project_id", name=op.f("uq_project_removal_project_id")),
    )
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON project_removal "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
    # Whoever deletes the row, the files are still there, and this database says that they may go.
    op.execute(
        """
        CREATE FUNCTION lexiclass_note_deleted_project() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO project_removal (project_id) VALUES (OLD.id)
            ON CONFLICT (project_id) DO NOTHING;
            RETURN NULL;
        END
        $$
        """
    )
    act_for_owner("lexiclass_note_deleted_project")
    op.execute(
        "CREATE TRIGGER note_deleted AFTER DELETE ON project "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_note_deleted_project()"
    )


def let_erasures_rewrite_final_tasks() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION lexiclass_keep_final_task() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            -- An erasure takes the names of documents out of requests, results and errors.
            IF NEW.status = OLD.status AND current_setting('lexiclass.erases', true) = 'on' THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'task % is %: it never changes again', OLD.id, OLD.status
                USING ERRCODE = 'check_violation';
        END
        $$
        """
    )


def downgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION lexiclass_keep_final_task() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'task % is %: it never changes again', OLD.id, OLD.status
                USING ERRCODE = 'check_violation';
        END
        $$
        """
    )
    op.execute("DROP TRIGGER note_deleted ON project")
    op.execute("DROP FUNCTION lexiclass_note_deleted_project()")
    op.drop_table("project_removal")
    for table in MOVED:
        op.execute(f"DROP TRIGGER one_project ON {table}")
    op.execute("DROP FUNCTION lexiclass_require_no_strays()")
    for table in JOINED:
        op.execute(f"DROP TRIGGER one_project_updated ON {table}")
        op.execute(f"DROP TRIGGER one_project_inserted ON {table}")
    op.execute("DROP FUNCTION lexiclass_require_one_project()")
    op.drop_index("uq_document_project_id_external_id", "document")
    op.drop_constraint(op.f("ck_document_external_id_length"), "document")
    op.drop_column("document", "external_id")
