"""What a task's row says of it: whether it is open, held or idle, and how a closed one looks."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Text, and_, func, literal_column, or_

from lexiclass_core.models import FINAL_TASK_STATUSES, Task, TaskStatus

TASK: Final = Task.metadata.tables[Task.__tablename__]
"""The table: statements that name the class are the ORM's, which takes longer to execute them."""

CLOSED: Final[Mapping[str, Any]] = {
    "stage": None,
    "next_attempt_at": None,
    "lease_owner": None,
    "lease_expires_at": None,
    "finished_at": func.clock_timestamp(),
}
"""Columns of a task that comes to its end, whoever ends it and how."""


def is_open(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task is not final.

    Args:
        task: The table, or an alias of it, as for those that follow.
    """
    # In words, not as parameters: how many there are would be looked at each time.
    final = [literal_column(f"'{status}'", Text) for status in sorted(FINAL_TASK_STATUSES)]
    return task.c.status.not_in(final)


def has_lease(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether somebody holds a lease that has not lapsed, by the database's clock."""
    return func.coalesce(task.c.lease_expires_at >= func.clock_timestamp(), False)


def is_idle(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task is open and nobody runs it."""
    waits = task.c.status.in_((TaskStatus.PENDING, TaskStatus.RETRYING))
    return and_(is_open(task), or_(waits, ~has_lease(task)))


def waits_for_chunks(task: FromClause = TASK) -> ColumnElement[bool]:
    """Whether a task was divided and is in nobody's hands."""
    return and_(
        task.c.status == TaskStatus.STARTED,
        task.c.num_chunks.is_not(None),
        task.c.lease_owner.is_(None),
    )
