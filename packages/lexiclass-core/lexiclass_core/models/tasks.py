"""Tasks, what happened to them, queues that are paused, and limits of projects."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base, one_of
from lexiclass_core.statuses import TaskEventKind, TaskStatus


class Task(Base):
    """What became of a message.

    ``project_id`` is no foreign key: a message may name a project that does not exist, and the
    row is where its sender finds out.

    A worker that runs the task holds its lease until ``lease_expires_at``, which it puts off while
    it works. Whoever takes the lease next counts ``lease_token`` up, and what is written under an
    older token is refused. ``crashes`` counts the attempts that ended without a word.

    Of the tasks of a queue that may run, those with a lower ``priority`` go first; null is that of
    the actor.

    A task may leave its work to others: ``num_chunks`` rows with its id as ``parent_id``, of the
    same project. It is ``started`` while they are not final, without a lease, and ends after them.

    ``trace_context`` holds the headers of the span that submitted it (``traceparent``,
    ``tracestate``), where its sender records traces.

    A trigger refuses a request that names another project than the row.
    """

    __tablename__ = "task"

    parent_id: Mapped[int | None] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"))
    num_chunks: Mapped[int | None] = mapped_column(Integer)
    project_id: Mapped[int | None]
    message_id: Mapped[str]
    type: Mapped[str]
    queue: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default=TaskStatus.PENDING)
    progress: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    stage: Mapped[str | None]
    request: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    max_attempts: Mapped[int | None] = mapped_column(Integer)
    crashes: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    next_attempt_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    priority: Mapped[int | None] = mapped_column(Integer)
    cancel_requested_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    lease_token: Mapped[int] = mapped_column(server_default=text("0"))
    lease_expires_at: Mapped[datetime | None]
    idempotency_key: Mapped[str | None]
    correlation_id: Mapped[str | None]
    trace_context: Mapped[dict[str, Any] | None]
    queued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("message_id"),
        UniqueConstraint("project_id", "idempotency_key"),
        # What the foreign key of chunks refers to: a task of this very project.
        UniqueConstraint("id", "project_id"),
        ForeignKeyConstraint(
            ["parent_id", "project_id"],
            ["task.id", "task.project_id"],
            ondelete="CASCADE",
        ),
        Index(None, "project_id", "id"),
        Index(None, "status", "id"),
        Index(None, "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index(None, "correlation_id", postgresql_where=text("correlation_id IS NOT NULL")),
        Index(None, "type", "id"),
        Index(
            "ix_task_queue_id_waiting",
            "queue",
            "id",
            postgresql_where=text("status IN ('pending', 'retrying')"),
        ),
        # What lists and counts the failures: by cause, by time.
        Index(
            "ix_task_error_code_id",
            text("(error ->> 'code')"),
            "id",
            postgresql_where=text("status = 'failed'"),
        ),
        Index(None, "finished_at", postgresql_where=text("status = 'failed'")),
        one_of("status", TaskStatus),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress_is_percentage"),
    )


class TaskHistory(Base):
    """What happened to a task, in order of ``id``.

    A trigger of ``task`` writes it, so that whatever changes a task's row is told, whoever does it,
    and in the same transaction. Its submission is not told: that is the row's ``queued_at``.

    Attributes:
        attempt: Which attempt it was about; 0 before the first.
        worker: Who held the lease, as in ``task.lease_owner``.
        next_attempt_at: When the next one was to begin.
        times: How often it happened in a row, with starts between that are not told; the other
            columns are of the last time.
    """

    __tablename__ = "task_event"

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"))
    event: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    worker: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    next_attempt_at: Mapped[datetime | None]
    times: Mapped[int] = mapped_column(Integer, server_default=text("1"))

    __table_args__ = (Index(None, "task_id", "id"), one_of("event", TaskEventKind))


class QueuePause(Base):
    """A queue of which no task may start. One that is not paused has no row."""

    __tablename__ = "queue_pause"

    queue: Mapped[str]
    reason: Mapped[str | None]

    __table_args__ = (UniqueConstraint("queue"),)


class TaskLimit(Base):
    """How many tasks of a type may run at a time on a project, as workers were last set."""

    __tablename__ = "task_limit"

    type: Mapped[str]
    per_project: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        UniqueConstraint("type"),
        CheckConstraint("per_project > 0", name="per_project_positive"),
    )
