"""Each change of a task's status, with the columns that follow from it.

:func:`change` makes all of them, for whoever holds the task's lease as for whoever settles one that
nobody runs. Those of an attempt's end ask for its lease, and end it: each raises LeaseLost if
another worker has taken the task over, or it is final; then nothing is written.

.. code-block:: text

    pending, retrying, lapsed ── START ──▶ started ── SUCCEED, FAIL, CANCEL ──▶ final
                ▲                             │
                └── RETRY, SNOOZE, RELEASE ───┤
                                              └── FAN_OUT ──▶ started, without a lease
    pending, retrying, lapsed ── FAIL, CANCEL ──▶ final
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Update, and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.errors import CancelRequested
from lexiclass_core.tasks.leases import Lease, hold
from lexiclass_core.tasks.states import TASK, is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of an open task.

    Attributes:
        to: Its status afterwards.
        columns: What else follows from it, whoever makes it.
        unless_cancelled: Whether a task that is to be cancelled does not make it.
    """

    to: TaskStatus
    columns: Mapping[str, Any] = field(default_factory=dict)
    unless_cancelled: bool = False


_NO_LEASE: Final = {"lease_owner": None, "lease_expires_at": None}
_NOT_COUNTED: Final = {"attempts": TASK.c.attempts - 1}
_END: Final = {
    **_NO_LEASE,
    "stage": None,
    "next_attempt_at": None,
    "finished_at": func.clock_timestamp(),
}

SUCCEED: Final = Transition(
    to=TaskStatus.SUCCEEDED,
    columns={**_END, "error": None, "progress": 100},
    unless_cancelled=True,
)
FAIL: Final = Transition(to=TaskStatus.FAILED, columns=_END)
CANCEL: Final = Transition(to=TaskStatus.CANCELLED, columns=_END)
RETRY: Final = Transition(to=TaskStatus.RETRYING, columns=_NO_LEASE)
SNOOZE: Final = Transition(
    to=TaskStatus.PENDING, columns={**_NO_LEASE, **_NOT_COUNTED}, unless_cancelled=True
)
FAN_OUT: Final = Transition(
    to=TaskStatus.STARTED,
    columns={**_NO_LEASE, **_NOT_COUNTED, "stage": "predict"},
    unless_cancelled=True,
)
RELEASE: Final = Transition(
    to=TaskStatus.PENDING,
    columns={
        **_NO_LEASE,
        **_NOT_COUNTED,
        "started_at": case((TASK.c.attempts > 1, TASK.c.started_at), else_=None),
        "progress": 0,
        "stage": None,
    },
)
START: Final = Transition(
    to=TaskStatus.STARTED,
    columns={
        "next_attempt_at": None,
        "stage": None,
        "started_at": func.coalesce(TASK.c.started_at, func.clock_timestamp()),
    },
    unless_cancelled=True,
)

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def change(
    transition: Transition, which: ColumnElement[bool], columns: Mapping[str, Any] = NOTHING
) -> Update:
    """The statement that makes a transition of open tasks: of a lease that is held, or idle."""
    return (
        update(TASK)
        .where(which, may_make(transition))
        .values({"status": transition.to, **transition.columns, **columns})
    )


def may_make(transition: Transition) -> ColumnElement[bool]:
    """Whether a task can make a transition: it is open, and need not be cancelled instead."""
    is_wanted = (TASK.c.cancel_requested_at.is_(None),) if transition.unless_cancelled else ()
    return and_(is_open(), *is_wanted)


async def changed_tasks(session: AsyncSession, statement: Update) -> list[Task]:
    """Make a statement's changes. Returns the tasks that it changes, as they are afterwards."""
    tasks = select(Task).from_statement(statement.returning(*TASK.c))
    return list(await session.scalars(tasks.execution_options(populate_existing=True)))


def after(seconds: float) -> ColumnElement[datetime]:
    """A moment so many seconds from now, by the database's clock."""
    return func.clock_timestamp() + timedelta(seconds=seconds)


def _under_lease(
    transition: Transition, columns: Mapping[str, Any] = NOTHING
) -> ReturningUpdate[tuple[int]]:
    """A transition that asks for a lease, and gives a row if it was held."""
    is_held = and_(
        TASK.c.id == bindparam("lease_task_id"),
        TASK.c.lease_token == bindparam("lease_of_token"),
        TASK.c.status == TaskStatus.STARTED,
    )
    return change(transition, is_held, columns).returning(TASK.c.id)


# Made once: every task that goes well ends with it.
_SUCCEED: Final = _under_lease(
    SUCCEED, {"result": bindparam("new_result", type_=TASK.c.result.type)}
)


async def succeed(session: AsyncSession, lease: Lease, result: dict[str, Any]) -> None:
    """Close a task with its result.

    Raises:
        CancelRequested: If somebody wants it cancelled.
    """
    await _make(session, lease, _SUCCEED, {"new_result": result})


async def fan_out(session: AsyncSession, lease: Lease, *, num_chunks: int) -> None:
    """Leave a task that waits for its chunks from now on; the attempt does not count.

    Raises:
        CancelRequested: If somebody wants it cancelled.
    """
    await _make(session, lease, _under_lease(FAN_OUT, {"num_chunks": num_chunks}))


async def snooze(session: AsyncSession, lease: Lease, *, delay_s: float, stage: str) -> None:
    """Leave a task that waits for others for a while; the attempt does not count.

    Raises:
        CancelRequested: If somebody wants it cancelled.
    """
    columns = {"next_attempt_at": after(delay_s), "stage": stage}
    await _make(session, lease, _under_lease(SNOOZE, columns))


async def fail(session: AsyncSession, lease: Lease, error: TaskError, *, crashes: int) -> None:
    """Close a task with its error."""
    columns = {"error": error.model_dump(), "crashes": crashes}
    await _make(session, lease, _under_lease(FAIL, columns))


async def cancel(session: AsyncSession, lease: Lease, error: TaskError) -> None:
    """Close a task that was cancelled while it ran."""
    await _make(session, lease, _under_lease(CANCEL, {"error": error.model_dump()}))


async def retry(
    session: AsyncSession,
    lease: Lease,
    error: TaskError,
    *,
    delay_s: float,
    crashes: int,
    counts: bool = True,
) -> None:
    """Say that a task will be tried again, when, and what it failed with.

    An attempt that was not begun does not count.
    """
    columns = {
        **({} if counts else _NOT_COUNTED),
        "error": error.model_dump(),
        "crashes": crashes,
        "next_attempt_at": after(delay_s),
    }
    await _make(session, lease, _under_lease(RETRY, columns))


async def release(session: AsyncSession, lease: Lease) -> None:
    """Hand a task back that a shutdown interrupted; the attempt does not count."""
    await _make(session, lease, _under_lease(RELEASE))


async def release_all(session: AsyncSession, owner: str) -> list[int]:
    """Hand back all that a process which ends still holds. Returns which tasks.

    What it is just about to close is not waited for.
    """
    held = select(TASK.c.id).where(TASK.c.lease_owner == owner, TASK.c.status == TaskStatus.STARTED)
    released = change(RELEASE, TASK.c.id.in_(held.with_for_update(skip_locked=True)))
    return [task.id for task in await changed_tasks(session, released)]


async def _make(
    session: AsyncSession,
    lease: Lease,
    statement: ReturningUpdate[tuple[int]],
    values: Mapping[str, Any] = NOTHING,
) -> None:
    named = {"lease_task_id": lease.task_id, "lease_of_token": lease.token}
    if (await session.execute(statement, {**named, **values})).first() is None:
        # Whose lease is held is to be cancelled: nothing else keeps it from the transition.
        await hold(session, lease)
        raise CancelRequested
