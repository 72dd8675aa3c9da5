"""How many tasks there are in each status, read from PostgreSQL at scrape time."""

import asyncio
from collections import Counter
from itertools import product
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core.db import create_engine
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.queue_config import ActorName
from lexiclass_worker.telemetry.series import UNKNOWN

_TIMEOUT_S: Final = 2.0


class TaskSource:
    """``lexiclass_tasks{status,type}``.

    Args:
        database_uri: Where the table is.
    """

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
        counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(product(TaskStatus, ActorName), 0))
        known = set(ActorName)
        for status, kind, count in asyncio.run(_count(self._database_uri)):
            # Anybody may write rows, and each type would be a new series.
            counts[status, kind if kind in known else UNKNOWN] += count
        for labels, count in counts.items():
            tasks.add_metric(labels, count)
        return [tasks]


async def _count(database_uri: str) -> list[tuple[str, str, int]]:
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
            return [(status, kind, count) for status, kind, count in rows]
    finally:
        await engine.dispose()
