"""Leases of tasks.

Whoever runs a task holds its lease: an owner, a token and an expiry that is put off while the work
goes on. Each new holder counts the token up, and every statement that ends an attempt asks for the
token: of two workers that run one message, the later holder's writes count and the other's are
refused (M. Kleppmann, How to do distributed locking, 2016: fencing tokens). When a lease lapses is
by the clock of the database, so that those of machines need not agree.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.tasks.errors import LeaseLost
from lexiclass_core.tasks.states import has_lease


class Lease(NamedTuple):
    """The right to write what became of a task, until somebody else takes a newer one."""

    task_id: int
    token: int


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
        is_held: Whether it is still the newest and the task runs.
        is_cancelled: Whether somebody wants the task cancelled.
    """

    is_held: bool
    is_cancelled: bool


async def hold(session: AsyncSession, lease: Lease) -> None:
    """Keep others from taking the task over until the transaction ends.

    Raises:
        LeaseLost: If another has taken it over, or the task is final.
    """
    held = await session.scalar(select(Task.id).where(is_held(lease)).with_for_update())
    if held is None:
        raise LeaseLost(lease.task_id)


async def extend(session: AsyncSession, lease: Lease, *, for_s: float) -> None:
    """Put off when a lease lapses that the transaction holds.

    Nobody else could meanwhile, and whoever waits for the row would find a lease that has lapsed.
    """
    await session.execute(
        update(Task)
        .where(is_held(lease))
        .values(lease_expires_at=func.clock_timestamp() + timedelta(seconds=for_s))
        .execution_options(synchronize_session=False)
    )


async def check(
    session: AsyncSession, leases: Collection[Lease], *, renew_for_s: float | None
) -> dict[Lease, LeaseState]:
    """How some leases of a process stand, once they are renewed for so many seconds or not."""
    ids = [lease.task_id for lease in leases]
    if renew_for_s is not None:
        # Those that a transaction of their own task has locked cannot be taken by anybody. Nor is
        # one renewed that was given up for chunks meanwhile: nobody could go on with its task.
        free = select(Task.id).where(Task.id.in_(ids)).with_for_update(skip_locked=True)
        tokens = case({lease.task_id: lease.token for lease in leases}, value=Task.id)
        await session.execute(
            update(Task)
            .where(
                Task.id.in_(free),
                Task.lease_token == tokens,
                Task.status == TaskStatus.STARTED,
                Task.lease_owner.is_not(None),
            )
            .values(lease_expires_at=func.clock_timestamp() + timedelta(seconds=renew_for_s))
            .execution_options(synchronize_session=False)
        )
    rows = await session.execute(
        select(Task.id, Task.lease_token, Task.status, Task.cancel_requested_at.is_not(None)).where(
            Task.id.in_(ids)
        )
    )
    # A row that is gone, or whose token is another, is not held.
    found = {
        Lease(task_id, token): LeaseState(status == TaskStatus.STARTED, is_cancelled)
        for task_id, token, status, is_cancelled in rows
    }
    return {
        lease: found.get(lease, LeaseState(is_held=False, is_cancelled=False)) for lease in leases
    }


async def running_tasks(session: AsyncSession, which: ColumnElement[bool]) -> list[int]:
    """Return those of some tasks that a worker runs.

    A lease lapses in a transaction that has the task's row for longer, for nobody can renew it; nor
    can anybody take the task over. So of those that have lapsed the ones count that are locked.
    """
    is_taken = and_(which, Task.status == TaskStatus.STARTED, Task.lease_expires_at.is_not(None))
    lapsed = select(Task.id).where(is_taken, ~has_lease())
    # First these, and they stay as they are: who ends such a transaction meanwhile has a lease.
    free = set(await session.scalars(lapsed.with_for_update(read=True, skip_locked=True)))
    taken = await session.scalars(select(Task.id).where(is_taken).order_by(Task.id))
    return [task_id for task_id in taken if task_id not in free]


def is_held(lease: Lease) -> ColumnElement[bool]:
    """Whether a lease is the newest of a task that runs."""
    return and_(
        Task.id == lease.task_id,
        Task.lease_token == lease.token,
        Task.status == TaskStatus.STARTED,
    )
