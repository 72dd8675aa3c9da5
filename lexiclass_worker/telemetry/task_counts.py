"""What PostgreSQL says of tasks and of paused queues, read at scrape time."""

import asyncio
from collections import Counter
from itertools import product
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db import create_engine
from lexiclass_core.models import QueuePause, Task, TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import QueueName
from lexiclass_core.workers import listeners
from lexiclass_worker.telemetry.metrics import UNKNOWN

_TIMEOUT_S: Final = 2.0


class TaskSource:
    """``lexiclass_tasks``; of each queue ``lexiclass_queue_paused`` and ``lexiclass_workers``."""

    name = "postgresql"
    errors = (SQLAlchemyError, OSError, TimeoutError)

    def __init__(self, database_uri: str) -> None:
        self._database_uri = database_uri

    def read(self) -> list[Metric]:
        """The series; what no task is in counts 0, so that an alert sees it go up.

        Raises:
            SQLAlchemyError: PostgreSQL refuses, has no such table, or takes more than 2 seconds.
            OSError: PostgreSQL is not there.
            TimeoutError: PostgreSQL does not answer.
        """
        tasks = GaugeMetricFamily(
            "lexiclass_tasks", "Tasks in each status.", labels=["status", "type"]
        )
        counts: Counter[tuple[str, str]] = Counter(
            dict.fromkeys(product(TaskStatus, OPERATIONS), 0)
        )
        found, paused, listening = asyncio.run(_read(self._database_uri))
        for status, kind, count in found:
            # Anybody may write rows, and each type would be a new series.
            counts[status, kind if kind in OPERATIONS else UNKNOWN] += count
        for labels, count in counts.items():
            tasks.add_metric(labels, count)
        pauses = GaugeMetricFamily(
            "lexiclass_queue_paused", "Whether a queue is paused: 1, else 0.", labels=["queue"]
        )
        workers = GaugeMetricFamily(
            "lexiclass_workers", "Worker processes that listen to a queue.", labels=["queue"]
        )
        for queue in QueueName:
            pauses.add_metric([queue], queue in paused)
            workers.add_metric([queue], listening.get(queue, 0))
        return [tasks, pauses, workers]


async def _read(
    database_uri: str,
) -> tuple[list[tuple[str, str, int]], set[str], dict[str, int]]:
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
            counts = [(status, kind, count) for status, kind, count in rows]
            paused = set(await connection.scalars(select(QueuePause.queue)))
            async with AsyncSession(connection) as session:
                return counts, paused, await listeners(session)
    finally:
        await engine.dispose()
