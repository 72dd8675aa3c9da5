"""What PostgreSQL says of tasks, queues, workers and models, read at scrape time."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from types import MappingProxyType
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, not_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lexiclass_core.db import create_engine
from lexiclass_core.models import QueuePause, Task, TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks.starting import due_at
from lexiclass_core.tasks.states import TASK, has_lease, is_waiting, waits_for_chunks
from lexiclass_core.workers import listeners, silent_listeners
from lexiclass_worker.telemetry.metrics import UNKNOWN
from lexiclass_worker.telemetry.model_ages import read_model_ages

_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    tasks: list[tuple[str, str, int]]
    paused: set[str]
    listening: dict[str, int]
    silent: dict[str, int]
    abandoned: dict[str, int]
    waiting_s: dict[str, float]
    models: list[Metric]


class TaskSource:
    """``lexiclass_tasks``, what is told of each queue and its workers, and of models.

    Args:
        database_uri: Where the tables are.
        expected_workers: How many worker processes are to listen to a queue, all machines together.
    """

    name = "postgresql"
    errors = (SQLAlchemyError, OSError, TimeoutError)

    def __init__(
        self, database_uri: str, expected_workers: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._database_uri = database_uri
        self._expected_workers = expected_workers

    def read(self) -> list[Metric]:
        """The series; what no task is in counts 0, so that an alert sees it go up.

        Raises:
            SQLAlchemyError: PostgreSQL refuses, has no such table, or takes more than 2 seconds.
            OSError: PostgreSQL is not there.
            TimeoutError: PostgreSQL does not answer.
        """
        found = asyncio.run(_read(self._database_uri))
        expected = GaugeMetricFamily(
            "lexiclass_workers_expected",
            "Worker processes that METRICS__EXPECTED_WORKERS expects to listen to a queue.",
            labels=["queue"],
        )
        for queue, workers in self._expected_workers.items():
            expected.add_metric([queue], workers)
        return [
            _counted(found.tasks),
            _by_queue(
                "lexiclass_queue_paused",
                "Whether a queue is paused: 1, else 0.",
                dict.fromkeys(found.paused, 1),
            ),
            _by_queue(
                "lexiclass_workers", "Worker processes that listen to a queue.", found.listening
            ),
            _by_queue(
                "lexiclass_workers_silent",
                "Worker processes that listened to a queue and have said nothing for 20 seconds, "
                "without having ended in order.",
                found.silent,
            ),
            expected,
            _by_queue(
                "lexiclass_tasks_abandoned",
                "Tasks that a worker began, whose lease has lapsed, and that none has taken over.",
                found.abandoned,
            ),
            _by_queue(
                "lexiclass_queue_oldest_due_task_wait_seconds",
                "Seconds since the task could have begun that waits the longest of a queue.",
                found.waiting_s,
            ),
            *found.models,
        ]


def _counted(found: list[tuple[str, str, int]]) -> Metric:
    tasks = GaugeMetricFamily("lexiclass_tasks", "Tasks in each status.", labels=["status", "type"])
    counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(product(TaskStatus, OPERATIONS), 0))
    for status, kind, count in found:
        # Anybody may write rows, and each type would be a new series.
        counts[status, kind if kind in OPERATIONS else UNKNOWN] += count
    for labels, count in counts.items():
        tasks.add_metric(labels, count)
    return tasks


def _by_queue(name: str, text: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=["queue"])
    for queue in QueueName:
        metric.add_metric([queue], values.get(queue, 0))
    return metric


async def _read(database_uri: str) -> _Found:
    engine = create_engine(
        database_uri,
        pool_size=1,
        application_name="lexiclass-metrics",
        command_timeout_s=2 * _TIMEOUT_S,
        connect_timeout_s=_TIMEOUT_S,
    )
    try:
        async with engine.connect() as connection:
            # Ended by the server, which would go on counting for a client that went away.
            await connection.execute(
                text("SELECT set_config('statement_timeout', :milliseconds, true)"),
                {"milliseconds": str(int(_TIMEOUT_S * 1000))},
            )
            rows = await connection.execute(
                select(Task.status, Task.type, func.count()).group_by(Task.status, Task.type)
            )
            async with AsyncSession(connection) as session:
                return _Found(
                    tasks=[(status, kind, count) for status, kind, count in rows],
                    paused=set(await connection.scalars(select(QueuePause.queue))),
                    listening=await listeners(session),
                    silent=await silent_listeners(session),
                    abandoned=await _abandoned(connection),
                    waiting_s=await _longest_waits_s(connection),
                    models=await read_model_ages(connection),
                )
    finally:
        await engine.dispose()


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
