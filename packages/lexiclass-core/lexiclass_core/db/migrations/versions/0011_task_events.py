"""What happens to a task is kept.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

EVENTS = (
    "started", "lapsed", "released", "deferred", "divided", "retrying", "cancel_requested",
    "succeeded", "failed", "cancelled",
)  # fmt: skip

# A lease that is taken counts the token up. What changes neither the status nor one of these, such
# as progress and renewed leases, costs no call of the function.
HAS_HAPPENED = """
    OLD.status IS DISTINCT FROM NEW.status
    OR OLD.lease_token IS DISTINCT FROM NEW.lease_token
    OR OLD.num_chunks IS DISTINCT FROM NEW.num_chunks
    OR (OLD.cancel_requested_at IS NULL) <> (NEW.cancel_requested_at IS NULL)
"""


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "task_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("error", postgresql.JSONB()),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True)),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint(
            f"event IN ({', '.join(map(repr, EVENTS))})", name=op.f("ck_task_event_event")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_task_event_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_event")),
    )
    op.create_index(op.f("ix_task_event_task_id_id"), "task_event", ["task_id", "id"])
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON task_event FOR EACH ROW "
        "EXECUTE FUNCTION lexiclass_set_updated_at()"
    )
    note_events()


def note_events() -> None:
    op.execute(
        """
        CREATE FUNCTION lexiclass_note_task_event() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            happened text;
            holder text;
            start bigint;
            before task_event;
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO task_event (task_id, event, attempt, worker, created_at)
                VALUES (NEW.id, 'started', NEW.attempts, NEW.lease_owner, clock_timestamp());
                RETURN NULL;
            END IF;
            IF NEW.status = 'started' AND NEW.lease_token <> OLD.lease_token THEN
                IF OLD.status = 'started' AND OLD.lease_owner IS NOT NULL THEN
                    INSERT INTO task_event (task_id, event, attempt, worker, error, created_at)
                    VALUES (NEW.id, 'lapsed', OLD.attempts, OLD.lease_owner,
                        CASE WHEN NEW.crashes > OLD.crashes THEN NEW.error END, clock_timestamp());
                END IF;
                INSERT INTO task_event (task_id, event, attempt, worker, created_at)
                VALUES (NEW.id, 'started', NEW.attempts, NEW.lease_owner, clock_timestamp());
                RETURN NULL;
            END IF;
            holder := OLD.lease_owner;
            IF NEW.status <> OLD.status THEN
                happened := CASE
                    WHEN NEW.status <> 'pending' THEN NEW.status
                    WHEN NEW.next_attempt_at IS NULL THEN 'released'
                    ELSE 'deferred' END;
            ELSIF NEW.num_chunks IS NOT NULL AND OLD.num_chunks IS NULL THEN
                happened := 'divided';
            ELSIF NEW.cancel_requested_at IS NOT NULL AND OLD.cancel_requested_at IS NULL THEN
                happened := 'cancel_requested';
                holder := NULL;
            ELSE
                RETURN NULL;
            END IF;
            IF NEW.attempts < OLD.attempts THEN
                -- It may wait for days, and look again every second: that is told once.
                SELECT id INTO start FROM task_event
                    WHERE task_id = NEW.id ORDER BY id DESC LIMIT 1;
                SELECT * INTO before FROM task_event
                    WHERE task_id = NEW.id AND id < start ORDER BY id DESC LIMIT 1;
                IF before.event = happened AND before.attempt = OLD.attempts THEN
                    DELETE FROM task_event WHERE id = start AND event = 'started';
                    UPDATE task_event SET times = times + 1, worker = holder,
                        error = CASE WHEN happened = 'retrying' THEN NEW.error END,
                        next_attempt_at = NEW.next_attempt_at, created_at = clock_timestamp()
                    WHERE id = before.id;
                    RETURN NULL;
                END IF;
            END IF;
            INSERT INTO task_event
                (task_id, event, attempt, worker, error, next_attempt_at, created_at)
            VALUES (NEW.id, happened, OLD.attempts, holder,
                CASE WHEN happened IN ('retrying', 'failed', 'cancelled') THEN NEW.error END,
                CASE WHEN happened IN ('retrying', 'deferred') THEN NEW.next_attempt_at END,
                clock_timestamp());
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER event_noted_at_insert AFTER INSERT ON task FOR EACH ROW "
        "WHEN (NEW.status = 'started') EXECUTE FUNCTION lexiclass_note_task_event()"
    )
    op.execute(
        "CREATE TRIGGER event_noted AFTER UPDATE OF status, lease_token, num_chunks, "
        f"cancel_requested_at ON task FOR EACH ROW WHEN ({HAS_HAPPENED}) "
        "EXECUTE FUNCTION lexiclass_note_task_event()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER event_noted ON task")
    op.execute("DROP TRIGGER event_noted_at_insert ON task")
    op.execute("DROP FUNCTION lexiclass_note_task_event()")
    op.drop_table("task_event")
