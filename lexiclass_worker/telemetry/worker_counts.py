"""Which workers listen to each queue, which are missing, and which queues are paused."""

from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lexiclass_core.models import QueuePause
from lexiclass_core.workers import listeners, silent_listeners
from lexiclass_worker.telemetry.queue_series import by_queue


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
