"""How many tasks are in each status, how many are abandoned and how long the oldest waits."""

from collections import Counter
from datetime import datetime
from itertools import product

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.models import TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.tasks.starting import due_at
from lexiclass_core.tasks.states import TASK, has_lease, is_waiting, waits_for_chunks
from lexiclass_worker.telemetry.metrics import UNKNOWN
from lexiclass_worker.telemetry.queue_series import by_queue


async def read_task_counts(connection: AsyncConnection) -> list[Metric]:
    """``lexiclass_tasks`` by status and type, each of which has a series.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, or has no such table.
    """
    rows = await connection.execute(
        select(TASK.c.status, TASK.c.type, func.count()).group_by(TASK.c.status, TASK.c.type)
    )
    counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(product(TaskStatus, OPERATIONS), 0))
    for status, kind, count in rows:
        # Anybody may write rows, and each type would be a new series.
        counts[status, kind if kind in OPERATIONS else UNKNOWN] += count
    tasks = GaugeMetricFamily("lexiclass_tasks", "Tasks in each status.", labels=["status", "type"])
    for labels, count in counts.items():
        tasks.add_metric(labels, count)
    return [tasks]


async def read_task_waits(connection: AsyncConnection) -> list[Metric]:
    """What waits and what was abandoned of each queue.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, or has no such table.
    """
    return [
        by_queue(
            "lexiclass_tasks_abandoned",
            "Tasks that a worker began, whose lease has lapsed, and that none has taken over.",
            await _abandoned(connection),
        ),
        by_queue(
            "lexiclass_queue_oldest_due_task_wait_seconds",
            "Seconds since the task could have begun that waits the longest of a queue.",
            await _longest_waits_s(connection),
        ),
    ]


async def _abandoned(connection: AsyncConnection) -> dict[str, int]:
    rows = await connection.execute(
        select(TASK.c.queue, func.count())
        .where(TASK.c.status == TaskStatus.STARTED, not_(waits_for_chunks()), not_(has_lease()))
        .group_by(TASK.c.queue)
    )
    return {str(queue): int(count) for queue, count in rows}


async def _longest_waits_s(connection: AsyncConnection) -> dict[str, float]:
    since = func.greatest(TASK.c.queued_at, due_at())
    rows = await connection.execute(
        # Moments, which may be infinite, and not their difference, which PostgreSQL may refuse.
        select(TASK.c.queue, func.now(), func.min(since, type_=TASK.c.queued_at.type))
        .where(is_waiting(), func.coalesce(due_at() <= func.now(), True))
        .group_by(TASK.c.queue)
    )
    return {str(queue): _seconds_between(at, now) for queue, now, at in rows}


def _seconds_between(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
