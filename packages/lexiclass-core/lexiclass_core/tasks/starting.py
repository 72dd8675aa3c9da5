"""Attempts at a task: each is counted, under a new lease, before it is made."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    Text,
    and_,
    bindparam,
    case,
    exists,
    extract,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from lexiclass_core.codes import ErrorCode
from lexiclass_core.db.values import EARLIEST, LATEST
from lexiclass_core.models import Task, TaskStatus, Worker
from lexiclass_core.numbers import LARGEST_ID
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.errors import MessageIdTaken
from lexiclass_core.tasks.leases import Holder, Lease
from lexiclass_core.tasks.states import TASK, has_lease, has_open_chunks, waits_for_chunks
from lexiclass_core.tasks.transitions import FAN_OUT, START, change, may_make

_LARGEST_COUNT: Final = 2**31 - 1  # of a PostgreSQL integer


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
    priority: int | None = None
    trace_context: dict[str, str] | None = None

    def as_row(self) -> dict[str, Any]:
        """The columns of the task that nobody has run yet."""
        return asdict(self)


async def take(
    session: AsyncSession, new: NewTask, holder: Holder, *, max_attempts: int
) -> tuple[Task, Lease | None]:
    """Count an attempt before it is made, on the message's row or on a new one, and take its lease.

    Attempts are counted first because a crash counts none afterwards. A lease that lapsed is taken
    over, which counts a crash too, whose traces become the row's error, unless its holder lives or
    the database was away; one that this process has left is taken without. A task that fanned out
    is not taken while it has chunks that are open.

    Returns:
        The row and the lease. Without a lease the row is unchanged: it is final, or is to be
        cancelled, or is not due, or somebody holds a lease that has not lapsed, or it waits for its
        chunks.

    Raises:
        MessageIdTaken: If the row is of another message; it is unchanged.
    """
    values = {
        **{f"new_{name}": value for name, value in new.as_row().items()},
        "most_attempts": max_attempts,
        "owner": holder.name,
        "duration": timedelta(seconds=holder.duration_s),
        "half_duration": timedelta(seconds=holder.duration_s / 2),
        "left_tasks": [lease.task_id for lease in holder.left],
        "left_tokens": [lease.token for lease in holder.left],
    }
    # Most messages have a row: an upsert would use up an id for each of them.
    for statement in (_TAKE_ROW, _TAKE_OR_ADD_ROW):
        taken = await session.execute(statement, values)
        row = taken.mappings().one_or_none()
        if row is not None:
            task = Task(**row)
            if task.num_chunks is None or not await _waits_again(session, task):
                return task, Lease(task.id, task.lease_token)
    return await _find(session, new), None


def wait_s(task: Task) -> float | None:
    """Seconds that a task has waited for its first attempt, once it is taken.

    Returns:
        From when its sender wanted it to be begun at the earliest; less than 0 if the clock of the
        sender is ahead. None if this is not its first attempt.
    """
    if task.lease_token != 1 or task.started_at is None:
        return None
    since = max(task.queued_at, task.not_before or task.queued_at)
    # What stands for a moment that is none says nothing.
    return (task.started_at - since).total_seconds() if since > EARLIEST else None


def follows_a_silent_worker(task: Task) -> bool:
    """Whether the attempt before the one for which a task was taken ended with its worker."""
    error = TaskError.of_row(task.error)
    return (
        error is not None
        and error.code == ErrorCode.CRASHED
        and "worker" in error.details
        and error.details.get("attempts") == task.attempts - 1
    )


async def note(session: AsyncSession, new: NewTask) -> Task:
    """The row of a message that is not to be run yet; pending, if it is new.

    Raises:
        MessageIdTaken: If the row is of another message.
    """
    await session.execute(
        insert(Task).values(new.as_row()).on_conflict_do_nothing(index_elements=[Task.message_id])
    )
    return await _find(session, new)


async def due_in_s(session: AsyncSession, task_id: int) -> float:
    """Seconds until a task may run, by PostgreSQL's clock; 0 or less when it is due."""
    due, latest = due_at(), literal(LATEST, TASK.c.not_before.type)
    left = case(
        # Before PostgreSQL 17 nothing can be subtracted from infinity.
        (due >= latest, extract("epoch", latest - func.clock_timestamp())),
        (due > func.clock_timestamp(), extract("epoch", due - func.clock_timestamp())),
        # Also where it is null, of which nothing holds.
        else_=0.0,
    )
    return float(await session.scalar(select(left).where(TASK.c.id == task_id)) or 0)


async def _waits_again(session: AsyncSession, task: Task) -> bool:
    """Give a divided task up that was taken too soon. Returns whether it was.

    Who waited for the row while its holder divided the task has asked for chunks as they were
    before: PostgreSQL looks at the row anew then, and at no other (its manual, "Read Committed
    Isolation Level").
    """
    given_up = (
        update(TASK)
        .where(TASK.c.id == task.id, TASK.c.lease_token == task.lease_token, has_open_chunks())
        .values(FAN_OUT.columns)
        .returning(TASK.c.id)
    )
    return await session.scalar(given_up) is not None


async def _find(session: AsyncSession, new: NewTask) -> Task:
    found = await session.execute(
        select(Task, _is_of_message()).where(Task.message_id == new.message_id),
        {f"new_{name}": value for name, value in new.as_row().items()},
    )
    task, is_of_message = found.one()
    if not is_of_message:
        raise MessageIdTaken(task.id)
    return task


_NOTHING: Final = literal_column("'{}'::jsonb", TASK.c.request.type)
_WORKER: Final = Worker.metadata.tables[Worker.__tablename__]


def due_at() -> ColumnElement[datetime]:
    """When a task may run: as its sender wants it, and after the wait that followed a failure."""
    # Of what is null, nothing is asked.
    return func.greatest(TASK.c.not_before, TASK.c.next_attempt_at)


def _is_of_message() -> ColumnElement[bool]:
    """Whether a row is of the message with its id, and not of another with the same.

    What the row of another program does not say, its message does: no project, no arguments.
    """
    columns = TASK.c
    project_id = bindparam("new_project_id", type_=columns.project_id.type)
    request = bindparam("new_request", type_=columns.request.type)
    return and_(
        columns.type == bindparam("new_type", type_=columns.type.type),
        or_(columns.project_id.is_(None), columns.project_id.is_not_distinct_from(project_id)),
        or_(columns.request == _NOTHING, columns.request == request),
    )


def _traces() -> ColumnElement[Any]:
    """What is known of an attempt whose worker went silent, as a :class:`TaskError`."""
    return func.jsonb_build_object(
        literal_column("'code'"),
        literal_column(f"'{ErrorCode.CRASHED}'"),
        literal_column("'message'"),
        func.concat(
            literal_column("'the worker died or stalled in attempt '"),
            TASK.c.attempts,
            literal_column("', in stage '"),
            func.quote_literal(func.coalesce(TASK.c.stage, literal_column("'start'"))),
        ),
        literal_column("'details'"),
        func.jsonb_build_object(
            literal_column("'worker'"),
            TASK.c.lease_owner,
            literal_column("'stage'"),
            TASK.c.stage,
            literal_column("'progress'"),
            TASK.c.progress,
            literal_column("'attempts'"),
            TASK.c.attempts,
        ),
        literal_column("'retryable'"),
        literal_column("true"),
    )


def _is_excused() -> ColumnElement[bool]:
    """Whether a lease lapsed for another reason than that its holder died or stalled.

    The holder has been heard of so late that it would have renewed it: whoever dies has renewed a
    lease not long before, so that it outlives him by more than half its time. Or the database was
    away from some worker when it lapsed, or when it could have been renewed for the last time.
    """
    duration = bindparam("duration", type_=Interval)
    half = bindparam("half_duration", type_=Interval)
    lapsed_at = TASK.c.lease_expires_at
    is_alive = and_(_WORKER.c.name == TASK.c.lease_owner, _WORKER.c.seen_at > lapsed_at - half)
    was_away = and_(_WORKER.c.away_since <= lapsed_at, lapsed_at < _WORKER.c.away_until + duration)
    return exists().where(or_(is_alive, was_away)).correlate(TASK)


def _counted(column: ColumnElement[int], *, largest: int = _LARGEST_COUNT) -> ColumnElement[int]:
    """One more, as far as there is one: another program may have written the last number."""
    return func.least(column, largest - 1) + 1


def _take_statements() -> tuple[ReturningUpdate[Any], ReturningInsert[Any]]:
    """Two ways to take a lease, made once, of the table: they are the longest that a task needs."""
    numbers = ARRAY(BigInteger)
    left = (
        func.unnest(bindparam("left_tasks", type_=numbers), bindparam("left_tokens", type_=numbers))
        .table_valued("task_id", "token")
        .render_derived()
    )
    is_left = tuple_(TASK.c.id, TASK.c.lease_token).in_(select(left.c.task_id, left.c.token))
    was_left = and_(TASK.c.status == TaskStatus.STARTED, not_(waits_for_chunks()), not_(is_left))
    # Asked for last: nearly no task that is taken was in somebody's hands.
    died = and_(was_left, not_(_is_excused()))
    max_attempts = bindparam("most_attempts", type_=Integer)
    lease = {
        "max_attempts": max_attempts,
        "lease_owner": bindparam("owner", type_=Text),
        "lease_expires_at": func.clock_timestamp() + bindparam("duration", type_=Interval),
    }
    started: dict[str, Any] = {
        **lease,
        "attempts": _counted(TASK.c.attempts),
        "crashes": case((died, _counted(TASK.c.crashes)), else_=TASK.c.crashes),
        "error": case((died, _traces()), else_=TASK.c.error),
        "progress": case((waits_for_chunks(), TASK.c.progress), else_=0),
        "lease_token": _counted(TASK.c.lease_token, largest=LARGEST_ID),
        "project_id": func.coalesce(
            TASK.c.project_id, bindparam("new_project_id", type_=TASK.c.project_id.type)
        ),
        "request": case(
            (
                TASK.c.request == _NOTHING,
                bindparam("new_request", type_=TASK.c.request.type),
            ),
            else_=TASK.c.request,
        ),
    }
    may_start = and_(
        _is_of_message(),
        or_(~has_lease(), is_left),
        or_(TASK.c.num_chunks.is_(None), ~has_open_chunks()),
        # By this clock alone: those of machines need not agree.
        func.coalesce(due_at() <= func.clock_timestamp(), true()),
    )
    message_id = bindparam("new_message_id", type_=Text)
    take_row = change(START, and_(TASK.c.message_id == message_id, may_start), started)
    columns = {field.name: TASK.c[field.name] for field in fields(NewTask)}
    take_or_add_row = (
        insert(TASK)
        .values(
            **{
                name: bindparam(f"new_{name}", type_=column.type)
                for name, column in columns.items()
            },
            **lease,
            status=START.to,
            attempts=1,
            started_at=func.clock_timestamp(),
            lease_token=1,
        )
        .on_conflict_do_update(
            index_elements=[TASK.c.message_id],
            set_={"status": START.to, **START.columns, **started},
            where=and_(may_start, may_make(START)),
        )
    )
    return take_row.returning(*TASK.c), take_or_add_row.returning(*TASK.c)


_TAKE_ROW, _TAKE_OR_ADD_ROW = _take_statements()
