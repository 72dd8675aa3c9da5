"""When the last backup was made, read at scrape time."""

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.models import Backup


async def read_backups(connection: AsyncConnection) -> list[Metric]:
    """The series of backups; none where none was ever made, as where others make them.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, or has no such table.
    """
    made_at = await connection.scalar(select(func.max(Backup.created_at)))
    metric = GaugeMetricFamily(
        "lexiclass_backup_last_success_timestamp_seconds", "When the last backup was made."
    )
    if made_at is not None:
        metric.add_metric([], made_at.timestamp())
    return [metric]
