"""The model versions that serve, as their rows have them."""

from typing import Any, Final

from sqlalchemy import Row, select

from lexiclass_core.models import Field, Model
from lexiclass_core.versions.reading import only_serving
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.database import open_connection

_MODEL: Final = Model.metadata.tables[Model.__tablename__]
_FIELD: Final = Field.metadata.tables[Field.__tablename__]
_MOST: Final = 10_000


async def find_serving(settings: Settings) -> list[Row[Any]]:
    """Of each field, up to 10,000, the version that serves.

    Its ``project_id``, ``field_id``, ``version``, ``metrics`` and ``manifest``, by field.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, or has no such table.
        OSError: PostgreSQL is not there.
    """
    serving = only_serving(select(_MODEL.c.id), _FIELD.c.id).correlate(_FIELD).scalar_subquery()
    of_field = _MODEL.alias("serving")
    query = (
        select(
            *(_FIELD.c.project_id, of_field.c.field_id, of_field.c.version),
            *(of_field.c.metrics, of_field.c.manifest),
        )
        .where(of_field.c.field_id == _FIELD.c.id, of_field.c.id == serving)
        .order_by(_FIELD.c.id)
        .limit(_MOST)
    )
    async with open_connection(settings) as connection:
        return list(await connection.execute(query))
