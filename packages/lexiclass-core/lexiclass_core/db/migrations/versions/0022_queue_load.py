"""What autoscalers ask: how many tasks of each queue could run now, and how many do.

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Due is what a worker would take: not what waits for its time, nor anything of a paused queue; but
# what a worker has left whose lease lapsed. Counting ends at 1,000, so that a million tasks that
# wait are no longer looked at than a thousand.
VIEW = """
CREATE VIEW queue_load AS
SELECT each.queue,
       CASE WHEN pause.queue IS NULL THEN waiting.due + started.lapsed ELSE 0 END AS due,
       started.running,
       CASE WHEN pause.queue IS NULL THEN waiting.due + started.lapsed ELSE 0 END
           + started.running AS load
FROM (VALUES ('indexing'), ('training'), ('prediction'), ('bulk')) AS each (queue)
LEFT JOIN queue_pause AS pause ON pause.queue = each.queue
CROSS JOIN LATERAL (
    SELECT count(*) AS due
    FROM (
        SELECT
        FROM task
        WHERE task.queue = each.queue
          AND task.status IN ('pending', 'retrying')
          AND coalesce(task.next_attempt_at, task.not_before, now()) <= now()
        LIMIT 1000
    ) AS capped
) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE held.is_held) AS running,
           count(*) FILTER (WHERE NOT held.is_held AND NOT held.waits_for_chunks) AS lapsed
    FROM (
        SELECT coalesce(
                   task.lease_expires_at BETWEEN now() AND now() + interval '1 hour', false
               ) AS is_held,
               task.num_chunks IS NOT NULL AND task.lease_owner IS NULL AS waits_for_chunks
        FROM task
        WHERE task.queue = each.queue AND task.status = 'started'
    ) AS held
) AS started
"""


def upgrade() -> None:
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW queue_load")
