"""How old the models that serve and the indexes are, and how accurate, read at scrape time.

No field and no project has a series of its own: there may be thousands. Of all of them the least,
the middle and the greatest value are told, as ``statistic`` min, median and max.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import ARRAY, ColumnElement, Float, Select, cast, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from lexiclass_core.models import Field, Model, Project, ProjectStatus
from lexiclass_core.versions.reading import only_serving

_STATISTICS: Final = {"min": 0.0, "median": 0.5, "max": 1.0}


async def read_model_ages(connection: AsyncConnection) -> list[Metric]:
    """The series of models and indexes; those of nothing are left out.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, or has no such tables.
    """
    fields = Field.metadata.tables[Field.__tablename__]
    columns: list[Any] = [Model.trained_at, Model.accuracy]
    trained: Select[Any] = select(*columns)
    versions = only_serving(trained, fields.c.id).lateral()
    served = select(
        func.now(),
        func.count(),
        _quantiles(versions.c.trained_at),
        _quantiles(versions.c.accuracy),
    ).select_from(fields.join(versions, true()))
    now, num_served, trained_at, accuracies = (await connection.execute(served)).one()
    indexed = select(func.count(Project.last_indexed_at), _quantiles(Project.last_indexed_at))
    num_indexed, indexed_at = (
        await connection.execute(indexed.where(Project.status == ProjectStatus.ACTIVE))
    ).one()
    num_fields = await connection.scalar(select(func.count()).select_from(fields))
    return [
        GaugeMetricFamily("lexiclass_fields", "Fields of all projects.", num_fields or 0),
        GaugeMetricFamily(
            "lexiclass_serving_models", "Fields with a model version that serves.", num_served
        ),
        GaugeMetricFamily("lexiclass_indexed_projects", "Projects with an index.", num_indexed),
        _summary(
            "lexiclass_serving_model_age_seconds",
            "Seconds since the versions that serve were trained.",
            _ages(now, trained_at),
        ),
        _summary(
            "lexiclass_serving_model_accuracy",
            "Accuracy of the versions that serve, as their last evaluation found it.",
            accuracies or (),
        ),
        _summary(
            "lexiclass_index_age_seconds",
            "Seconds since the projects were indexed.",
            _ages(now, indexed_at),
        ),
    ]


def _quantiles(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    return func.percentile_disc(cast([*_STATISTICS.values()], ARRAY(Float))).within_group(column)


def _ages(now: datetime, moments: Sequence[datetime | None] | None) -> list[float]:
    """Youngest first; the last moment is the youngest's. What is from the future is new."""
    return [
        max(0.0, (now - moment).total_seconds()) for moment in reversed(moments or ()) if moment
    ]


def _summary(name: str, text: str, values: Sequence[float | None]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=["statistic"])
    for statistic, value in zip(_STATISTICS, values, strict=False):
        if value is not None:
            metric.add_metric([statistic], value)
    return metric
