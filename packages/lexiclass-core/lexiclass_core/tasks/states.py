"""What a task's row says of it: whether it is open, runs, is idle or waits for its chunks."""

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, FromClause, Text, and_, exists, func, literal_column, or_

from lexiclass_core.models import FINAL_TASK_STATUSES, Task, TaskStatus

TASK: Final = Task.metadata.tables[Task.__tablename__]
"""The table: statements that name the class are the ORM's, which takes longer to execute them."""

LONGEST_LEASE_S: Final = 3_600
"""Longest that a lease lasts unless it is renewed, in seconds."""


def is_open(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task is not final.

    Args:
        task: The table, or an alias of it, as for those that follow.
    """
    # In words, not as parameters: how many there are would be looked at each time.
    final = [literal_column(f"'{status}'", Text) for status in sorted(FINAL_TASK_STATUSES)]
    return task.c.status.not_in(final)


def has_lease(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether somebody holds a lease that has not lapsed, by the database's clock.

    One that outlasts what a worker may ask for is nobody's: another program has written it.
    """
    now = func.clock_timestamp()
    expires_at = task.c.lease_expires_at
    return func.coalesce(expires_at.between(now, now + timedelta(seconds=LONGEST_LEASE_S)), False)


def is_running(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a worker runs a task."""
    return and_(task.c.status == TaskStatus.STARTED, has_lease(task))


def is_waiting(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task waits for an attempt, its first or another."""
    return task.c.status.in_((TaskStatus.PENDING, TaskStatus.RETRYING))


def is_idle(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task is open and nobody runs it."""
    return and_(is_open(task), or_(is_waiting(task), ~has_lease(task)))


def waits_for_chunks(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task was spread over chunks and is in nobody's hands."""
    return and_(
        task.c.status == TaskStatus.STARTED,
        task.c.num_chunks.is_not(None),
        task.c.lease_owner.is_(None),
    )


def has_open_chunks() -> ColumnElement[bool]:
    """Whether a task has chunks that are not final."""
    chunk = TASK.alias()
    return exists().where(chunk.c.parent_id == TASK.c.id, is_open(chunk)).correlate(TASK)
