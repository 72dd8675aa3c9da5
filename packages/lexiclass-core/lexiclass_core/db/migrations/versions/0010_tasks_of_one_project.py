"""A task's chunks and its request are of its own project.

Revision ID: 0010
Revises: 0009
"""

import logging

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FOREIGN_KEY = "fk_task_parent_id_project_id"

STRAY_CHUNKS = """
    SELECT count(*) FROM task chunk JOIN task parent ON parent.id = chunk.parent_id
    WHERE chunk.parent_id IS NOT NULL AND chunk.project_id <> parent.project_id
"""

# Those that are final are not read any more.
STRAY_REQUESTS = """
    SELECT count(*) FROM task WHERE status IN ('pending', 'started', 'retrying')
    AND request ->> 'project_id' <> project_id::text
"""

_log = logging.getLogger("alembic.runtime.migration")


def upgrade() -> None:
    # Before anything is locked. Both read few rows: those of chunks, and those that are not final.
    count = op.get_bind().scalar
    chunks, requests = count(sa.text(STRAY_CHUNKS)), count(sa.text(STRAY_REQUESTS))
    op.create_unique_constraint(op.f("uq_task_id_project_id"), "task", ["id", "project_id"])
    # Rows of before are not looked at: those that join two projects stay, and can be ended.
    op.create_foreign_key(
        op.f(FOREIGN_KEY),
        "task",
        "task",
        ["parent_id", "project_id"],
        ["id", "project_id"],
        ondelete="CASCADE",
        postgresql_not_valid=True,
    )
    refuse_foreign_requests()
    for number, what in ((chunks, "chunks of a task"), (requests, "requests of a task")):
        if number:
            _log.warning(
                "%d %s are of another project than the task: they are left as they are; "
                "docs/PROJECTS.md says how to find them",
                number,
                what,
            )


def refuse_foreign_requests() -> None:
    op.execute(
        """
        CREATE FUNCTION lexiclass_require_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'task % is of project %, and its request of project %: '
                'both must be of one', NEW.message_id, NEW.project_id, NEW.request ->> 'project_id'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME,
                    CONSTRAINT = 'ck_task_one_project';
        END
        $$
        """
    )
    # What is compared in a WHEN costs no call of a function.
    is_foreign = "NEW.request ->> 'project_id' <> NEW.project_id::text"
    op.execute(
        f"CREATE TRIGGER one_project_inserted BEFORE INSERT ON task FOR EACH ROW "
        f"WHEN ({is_foreign}) EXECUTE FUNCTION lexiclass_require_own_request()"
    )
    op.execute(
        f"""
        CREATE TRIGGER one_project_updated BEFORE UPDATE OF project_id, request ON task
        FOR EACH ROW WHEN ({is_foreign} AND (OLD.project_id, OLD.request ->> 'project_id')
            IS DISTINCT FROM (NEW.project_id, NEW.request ->> 'project_id'))
        EXECUTE FUNCTION lexiclass_require_own_request()
        """
    )


def downgrade() -> None:
    for name in ("one_project_updated", "one_project_inserted"):
        op.execute(f"DROP TRIGGER {name} ON task")
    op.execute("DROP FUNCTION lexiclass_require_own_request()")
    op.drop_constraint(op.f(FOREIGN_KEY), "task", type_="foreignkey")
    op.drop_constraint(op.f("uq_task_id_project_id"), "task", type_="unique")
