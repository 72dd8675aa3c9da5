"""Predictions: the latest of each document and field."""

import csv
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db.errors import ends_connection
from lexiclass_core.models import Document, Field, FieldClass, Prediction
from lexiclass_worker.errors import DatabaseUnavailable

_CREATE: Final = """
    CREATE TEMPORARY TABLE incoming_prediction (
        document_id bigint NOT NULL, class_id bigint NOT NULL,
        confidence double precision NOT NULL, is_accepted boolean, metadata jsonb NOT NULL
    ) ON COMMIT DROP
"""

# The range keeps PostgreSQL from reading every document of a project for each of its chunks: it
# knows nothing of what is in a temporary table.
_FROM_TABLE: Final = """
    FROM incoming_prediction AS incoming
    JOIN document ON document.id = incoming.document_id AND document.project_id = :project_id
        AND document.id BETWEEN (SELECT min(document_id) FROM incoming_prediction)
            AND (SELECT max(document_id) FROM incoming_prediction)
"""

_FROM_ARRAYS: Final = """
    FROM unnest(
        CAST(:document_ids AS bigint[]), CAST(:class_ids AS bigint[]),
        CAST(:confidences AS double precision[]), CAST(:accepted AS boolean[]),
        CAST(:metadata AS text[])
    ) AS incoming (document_id, class_id, confidence, is_accepted, metadata)
    JOIN document ON document.id = incoming.document_id AND document.project_id = :project_id
"""

# Documents deleted since they were read take no prediction. In the order of the documents, so that
# two that write the same rows wait for each other and do not lock each other out. Rows of a task
# that began later stay, and so do rows that would not change: a message delivered twice changes
# nothing, updated_at included.
_UPSERT: Final = """
    INSERT INTO prediction
        (document_id, field_id, class_id, model_version, confidence, is_accepted, metadata,
            predicted_at)
    SELECT incoming.document_id, :field_id, incoming.class_id, :model_version, incoming.confidence,
        incoming.is_accepted, CAST(incoming.metadata AS jsonb), :predicted_at
    {source}
    ORDER BY incoming.document_id
    ON CONFLICT (document_id, field_id) DO UPDATE SET
        class_id = excluded.class_id,
        model_version = excluded.model_version,
        confidence = excluded.confidence,
        is_accepted = excluded.is_accepted,
        metadata = excluded.metadata,
        predicted_at = excluded.predicted_at
    WHERE prediction.predicted_at < excluded.predicted_at
        OR prediction.predicted_at = excluded.predicted_at
        AND (prediction.class_id, prediction.model_version, prediction.confidence,
            prediction.is_accepted, prediction.metadata)
            IS DISTINCT FROM (excluded.class_id, excluded.model_version, excluded.confidence,
            excluded.is_accepted, excluded.metadata)
"""
_UPSERT_TABLE: Final = text(_UPSERT.format(source=_FROM_TABLE))
_UPSERT_ARRAYS: Final = text(_UPSERT.format(source=_FROM_ARRAYS))

_COUNT_REPLACED: Final = text(
    "SELECT model_version, count(*) FROM prediction "
    "WHERE document_id = ANY(CAST(:documents AS bigint[])) AND field_id = :field "
    "AND model_version <> :version AND predicted_at < :at GROUP BY model_version "
    "ORDER BY model_version"
)

_FLAGS: Final = {"t": True, "f": False, "": None}

# Up to so many bytes of rows, making and dropping a table costs more than all of the rest.
_FEW_BYTES: Final = 16_384


async def count_replaced(
    session: AsyncSession,
    *,
    field_id: int,
    document_ids: Iterable[int],
    model_version: int,
    predicted_at: datetime,
) -> dict[int, int]:
    """Of how many of these documents a new prediction replaces one of another version, by version.

    ``predicted_at`` is when the task of the new predictions began; those of later ones stay.
    """
    values = {
        "field": field_id,
        "documents": list(document_ids),
        "version": model_version,
        "at": predicted_at,
    }
    rows = await session.execute(_COUNT_REPLACED, values)
    return {row[0]: row[1] for row in rows}


class RecentPrediction(NamedTuple):
    """A document, and what it was predicted as."""

    document_id: int
    content_path: str | None
    class_name: str


async def recent_predictions(
    session: AsyncSession, field_id: int, model_version: int, *, limit: int
) -> list[RecentPrediction]:
    """The latest predictions of a field that a version has made, of documents that are there."""
    rows = await session.execute(
        select(Prediction.document_id, Document.content_path, FieldClass.name)
        .join(Document, Document.id == Prediction.document_id)
        .join(Field, Field.id == Prediction.field_id)
        .join(FieldClass, FieldClass.id == Prediction.class_id)
        .where(
            Prediction.field_id == field_id,
            Prediction.model_version == model_version,
            Document.project_id == Field.project_id,
        )
        .order_by(Prediction.predicted_at.desc(), Prediction.document_id.desc())
        .limit(limit)
    )
    return [RecentPrediction(*row) for row in rows]


async def upsert_from_csv(
    session: AsyncSession,
    rows: Path,
    *,
    project_id: int,
    field_id: int,
    model_version: int,
    predicted_at: datetime,
) -> None:
    """Make the rows of a file the latest predictions: one upsert, of many rows after one COPY.

    The file is CSV without a header: document_id, class_id, confidence, is_accepted (t, f or
    nothing), metadata as JSON. Each document once. ``predicted_at`` is when the task of these
    predictions began.
    """
    connection = await session.connection()
    values: dict[str, Any] = {
        "project_id": project_id,
        "field_id": field_id,
        "model_version": model_version,
        "predicted_at": predicted_at,
    }
    if (columns := _columns_if_few(rows)) is not None:
        await connection.execute(_UPSERT_ARRAYS, values | columns)
        return
    await connection.execute(text(_CREATE))
    async with copying(session) as driver:
        await driver.copy_to_table("incoming_prediction", source=rows, format="csv")
    await connection.execute(_UPSERT_TABLE, values)


def _columns_if_few(rows: Path) -> dict[str, list[Any]] | None:
    if rows.stat().st_size > _FEW_BYTES:
        return None
    with rows.open(newline="") as lines:
        parsed = [
            (int(document), int(found), float(confidence), _FLAGS[flag], metadata)
            for document, found, confidence, flag, metadata in csv.reader(lines)
        ]
    columns = zip(*parsed, strict=True) if parsed else ((), (), (), (), ())
    document_ids, class_ids, confidences, accepted, metadata = columns
    return {
        "document_ids": list(document_ids),
        "class_ids": list(class_ids),
        "confidences": list(confidences),
        "accepted": list(accepted),
        "metadata": list(metadata),
    }


@asynccontextmanager
async def copying(session: AsyncSession) -> AsyncIterator[Any]:
    """The driver's connection, in the caller's transaction.

    Raises:
        DatabaseUnavailable: If a COPY takes too long: the driver calls it as files do.
    """
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if driver is None:
        raise RuntimeError("the session has no connection to the server")
    try:
        yield driver
    except TimeoutError as error:
        raise DatabaseUnavailable("a COPY took too long; trying again can help") from error
    except asyncpg.PostgresError as error:
        # SQLAlchemy, which leaves such a server by itself, does not see this one.
        if ends_connection(error):
            await connection.invalidate()
        raise
