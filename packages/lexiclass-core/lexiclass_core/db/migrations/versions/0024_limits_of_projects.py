"""What workers may run at a time on a project, so that autoscalers count no more than could run.

Revision ID: 0024
Revises: 0023
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# Due is what a worker would take: not what waits for its time, nor anything of a paused queue, nor
# more of a project than may run at a time, as workers have said; but what a worker has left whose
# lease lapsed, and a task whose chunks have all ended. Looking ends at 10,000 that wait, so that a
# million are no longer looked at, and counting at 1,000. Behind 10,000 of a project that is at its
# limit another's may wait: then 1,000 are due, for too many workers find nothing, and too few let
# work lie. The columns are those of before: grants stay.
VIEW = """
CREATE OR REPLACE VIEW queue_load AS
SELECT each.queue, found.due, found.running, found.due + found.running AS load
FROM (VALUES ('indexing'), ('training'), ('prediction'), ('bulk')) AS each (queue)
LEFT JOIN queue_pause AS pause ON pause.queue = each.queue
CROSS JOIN LATERAL (
    SELECT CASE WHEN pause.queue IS NOT NULL THEN 0
                WHEN sum(counted.waiting) >= 10000 THEN 1000
                ELSE least(coalesce(sum(counted.due), 0), 1000) END::bigint AS due,
           coalesce(sum(counted.running), 0)::bigint AS running
    FROM (
        SELECT count(*) FILTER (WHERE one.is_waiting) AS waiting,
               least(
                   count(*) FILTER (WHERE NOT one.is_held),
                   CASE WHEN min(task_limit.per_project) IS NOT NULL
                        THEN greatest(
                            min(task_limit.per_project) - count(*) FILTER (WHERE one.is_held), 0
                        )
                   END
               ) AS due,
               count(*) FILTER (WHERE one.is_held) AS running
        FROM (
            (
                SELECT task.type, task.project_id, true AS is_waiting, false AS is_held
                FROM task
                WHERE task.queue = each.queue
                  AND task.status IN ('pending', 'retrying')
                  AND coalesce(greatest(task.next_attempt_at, task.not_before) <= now(), true)
                LIMIT 10000
            )
            UNION ALL
            SELECT task.type,
                   task.project_id,
                   false,
                   coalesce(
                       task.lease_expires_at BETWEEN now() AND now() + interval '1 hour', false
                   )
            FROM task
            WHERE task.queue = each.queue
              AND task.status = 'started'
              AND NOT (
                  task.num_chunks IS NOT NULL
                  AND task.lease_owner IS NULL
                  AND EXISTS (
                      SELECT
                      FROM task AS chunk
                      WHERE chunk.parent_id = task.id
                        AND chunk.status NOT IN ('succeeded', 'failed', 'cancelled')
                  )
              )
        ) AS one
        LEFT JOIN task_limit ON task_limit.type = one.type AND one.project_id IS NOT NULL
        GROUP BY one.type, one.project_id
    ) AS counted
) AS found
"""


def upgrade() -> None:
    op.create_table(
        "task_limit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("per_project", sa.Integer(), nullable=False),
        *(
            sa.Column(
                name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            )
            for name in ("created_at", "updated_at")
        ),
        sa.CheckConstraint("per_project > 0", name=op.f("ck_task_limit_per_project_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_limit")),
        sa.UniqueConstraint("type", name=op.f("uq_task_limit_type")),
    )
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON task_limit "
        "FOR EACH ROW EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
    op.execute(VIEW)


def downgrade() -> None:
    before = import_module("lexiclass_core.db.migrations.versions.0022_queue_load")
    op.execute(before.VIEW.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.drop_table("task_limit")
