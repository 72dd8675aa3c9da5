"""Attempts at a task, under a lease.

Whoever runs a task holds its lease: an owner, a token and an expiry that is put off while the work
goes on. Each new holder counts the token up, and every statement here that ends an attempt asks for
the token: of two workers that run one message, the later holder's writes count and the other's are
refused (M. Kleppmann, How to do distributed locking, 2016: fencing tokens). Times are those of the
database, so that the clocks of machines need not agree.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    case,
    cast,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import FINAL_TASK_STATUSES, Task, TaskStatus
from lexiclass_worker.errors import LeaseLost


class Lease(NamedTuple):
    """The right to write what became of a task, until somebody else takes a newer one."""

    task_id: int
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task as its message describes it."""

    message_id: str
    type: str
    queue: str
    project_id: int | None
    request: dict[str, Any]
    correlation_id: str
    queued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who wants a lease.

    Attributes:
        name: This worker process, and no other.
        duration_s: How long the lease holds unless it is renewed, in seconds.
        left: Leases under which it does nothing any more, but could not say so.
    """

    name: str
    duration_s: float
    left: Collection[Lease] = ()


class LeaseState(NamedTuple):
    """A lease at one moment.

    Attributes:
        is_held: Whether it is still the newest and the task is not final.
        is_cancelled: Whether somebody wants the task cancelled.
    """

    is_held: bool
    is_cancelled: bool


async def take(
    session: AsyncSession, new: NewTask, holder: Holder, *, max_attempts: int
) -> tuple[Task, Lease | None]:
    """Count an attempt before it is made, on the message's row or on a new one, and take its lease.

    Attempts are counted first because a crash counts none afterwards. A lease that lapsed is taken
    over, which counts a crash too, whose traces become the row's error; one that this process has
    left is taken without. A task that was divided is not taken while it has chunks that are open.

    Returns:
        The row and the lease. Without a lease the row is unchanged: it is final, or is to be
        cancelled, or somebody holds a lease that has not lapsed, or it waits for its chunks.
    """
    started = _started(holder, max_attempts)
    may_start = and_(
        Task.status.not_in(FINAL_TASK_STATUSES),
        Task.cancel_requested_at.is_(None),
        _is_free(holder),
        or_(Task.num_chunks.is_(None), ~has_open_chunks()),
    )
    # Most messages have a row: an upsert would use up an id for each of them.
    update_row = (
        update(Task)
        .where(Task.message_id == new.message_id, may_start)
        .values(started)
        .returning(Task)
        .execution_options(synchronize_session=False)
    )
    if (task := await session.scalar(update_row)) is not None:
        return task, Lease(task.id, task.lease_token)
    upsert_row = (
        insert(Task)
        .values(
            message_id=new.message_id,
            type=new.type,
            queue=new.queue,
            project_id=new.project_id,
            request=new.request,
            correlation_id=new.correlation_id,
            queued_at=new.queued_at,
            status=TaskStatus.STARTED,
            attempts=1,
            max_attempts=max_attempts,
            started_at=func.clock_timestamp(),
            lease_owner=holder.name,
            lease_token=1,
            lease_expires_at=_after(holder.duration_s),
        )
        .on_conflict_do_update(index_elements=[Task.message_id], set_=started, where=may_start)
        .returning(Task)
    )
    if (task := await session.scalar(upsert_row)) is not None:
        return task, Lease(task.id, task.lease_token)
    return (
        await session.scalars(select(Task).where(Task.message_id == new.message_id))
    ).one(), None


def _started(holder: Holder, max_attempts: int) -> dict[str, Any]:
    died = and_(
        Task.status == TaskStatus.STARTED, not_(waits_for_chunks()), not_(_is_left_by(holder))
    )
    return {
        "status": TaskStatus.STARTED,
        "attempts": Task.attempts + 1,
        "max_attempts": max_attempts,
        "crashes": Task.crashes + cast(died, Integer),
        "error": case((died, _traces()), else_=Task.error),
        "next_attempt_at": None,
        "progress": case((waits_for_chunks(), Task.progress), else_=0),
        "stage": None,
        "started_at": func.coalesce(Task.started_at, func.clock_timestamp()),
        "lease_owner": holder.name,
        "lease_token": Task.lease_token + 1,
        "lease_expires_at": _after(holder.duration_s),
    }


def _is_free(holder: Holder) -> ColumnElement[bool]:
    return or_(
        Task.lease_expires_at.is_(None),
        Task.lease_expires_at < func.clock_timestamp(),
        _is_left_by(holder),
    )


def _is_left_by(holder: Holder) -> ColumnElement[bool]:
    return tuple_(Task.id, Task.lease_token).in_(holder.left)


def waits_for_chunks() -> ColumnElement[bool]:
    """Whether a task was divided and is in nobody's hands."""
    return and_(
        Task.status == TaskStatus.STARTED,
        Task.num_chunks.is_not(None),
        Task.lease_owner.is_(None),
    )


def has_open_chunks() -> ColumnElement[bool]:
    """Whether a task has chunks that are not final."""
    chunk = aliased(Task)
    return (
        exists()
        .where(chunk.parent_id == Task.id, chunk.status.not_in(FINAL_TASK_STATUSES))
        .correlate(Task)
    )


def _after(seconds: float) -> ColumnElement[datetime]:
    return func.clock_timestamp() + timedelta(seconds=seconds)


def _traces() -> ColumnElement[Any]:
    """What is known of an attempt whose worker went silent, as a :class:`TaskError`."""
    return func.jsonb_build_object(
        literal_column("'code'"),
        literal_column(f"'{ErrorCode.CRASHED}'"),
        literal_column("'message'"),
        func.concat(
            literal_column("'the worker died or stalled in attempt '"),
            Task.attempts,
            literal_column("', in stage '"),
            func.quote_literal(func.coalesce(Task.stage, literal_column("'start'"))),
        ),
        literal_column("'details'"),
        func.jsonb_build_object(
            literal_column("'worker'"),
            Task.lease_owner,
            literal_column("'stage'"),
            Task.stage,
            literal_column("'progress'"),
            Task.progress,
            literal_column("'attempts'"),
            Task.attempts,
        ),
        literal_column("'retryable'"),
        literal_column("true"),
    )


async def hold(session: AsyncSession, lease: Lease) -> None:
    """Keep others from taking the task over until the transaction ends.

    Raises:
        LeaseLost: If another has taken it over, or the task is final.
    """
    held = await session.scalar(select(Task.id).where(is_held(lease)).with_for_update())
    if held is None:
        raise LeaseLost(lease.task_id)


async def check(
    session: AsyncSession, leases: Collection[Lease], *, renew_for_s: float | None
) -> dict[Lease, LeaseState]:
    """How some leases stand, after renewing them if asked to.

    Args:
        session: The caller's transaction.
        leases: Those of one process.
        renew_for_s: Seconds from now until they lapse; None leaves them alone.
    """
    ids = [lease.task_id for lease in leases]
    if renew_for_s is not None:
        # Those that a transaction of their own task has locked cannot be taken by anybody.
        free = select(Task.id).where(Task.id.in_(ids)).with_for_update(skip_locked=True)
        tokens = case({lease.task_id: lease.token for lease in leases}, value=Task.id)
        await session.execute(
            update(Task)
            .where(Task.id.in_(free), Task.lease_token == tokens, Task.status == TaskStatus.STARTED)
            .values(lease_expires_at=_after(renew_for_s))
            .execution_options(synchronize_session=False)
        )
    rows = await session.execute(
        select(Task.id, Task.lease_token, Task.status, Task.cancel_requested_at.is_not(None)).where(
            Task.id.in_(ids)
        )
    )
    # A row that is gone, or whose token is another, is not held.
    found = {
        Lease(task_id, token): LeaseState(not TaskStatus(status).is_final, is_cancelled)
        for task_id, token, status, is_cancelled in rows
    }
    return {
        lease: found.get(lease, LeaseState(is_held=False, is_cancelled=False)) for lease in leases
    }


def is_held(lease: Lease) -> ColumnElement[bool]:
    """Whether a row's lease is this one, and the task is not final."""
    return and_(
        Task.id == lease.task_id,
        Task.lease_token == lease.token,
        Task.status.not_in(FINAL_TASK_STATUSES),
    )
