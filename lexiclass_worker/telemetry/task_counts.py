"""What rows say to /metrics: how long tasks wait, workers and pauses."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lexiclass_core.models import QueuePause, TaskStatus
from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks.starting import due_at
from lexiclass_core.tasks.states import TASK, has_lease, is_waiting, waits_for_chunks
from lexiclass_core.workers import listeners, silent_listeners


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


async def read_worker_counts(
    connection: AsyncConnection, expected_workers: Mapping[str, int]
) -> list[Metric]:
    """The series of workers and of pauses.

    ``expected_workers`` are to listen to a queue, all machines together.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, or has no such tables.
    """
    expected = GaugeMetricFamily(
        "lexiclass_workers_expected",
        "Worker processes that METRICS__EXPECTED_WORKERS expects to listen to a queue.",
        labels=["queue"],
    )
    for queue, workers in expected_workers.items():
        expected.add_metric([queue], workers)
    paused = await connection.scalars(select(QueuePause.queue))
    async with AsyncSession(connection) as session:
        listening, silent = await listeners(session), await silent_listeners(session)
    return [
        by_queue(
            "lexiclass_queue_paused",
            "Whether a queue is paused: 1, else 0.",
            dict.fromkeys(paused, 1),
        ),
        by_queue("lexiclass_workers", "Worker processes that listen to a queue.", listening),
        by_queue(
            "lexiclass_workers_silent",
            "Worker processes that listened to a queue and have said nothing for 20 seconds, "
            "without having ended in order.",
            silent,
        ),
        expected,
    ]


def by_queue(name: str, text: str, values: Mapping[str, float]) -> Metric:
    """A gauge with a value for each queue, 0 where none is given: an alert sees it go up."""
    metric = GaugeMetricFamily(name, text, labels=["queue"])
    for queue in QueueName:
        metric.add_metric([queue], values.get(queue, 0))
    return metric
