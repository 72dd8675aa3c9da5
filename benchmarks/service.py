"""What running workers cost beside what they can't do without."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator

import asyncpg

from benchmarks.house import House
from benchmarks.library import Seconds
from benchmarks.measuring import side_by_side
from lexiclass_worker.admin.import_report import ImportReport

_CREATE = """
    CREATE TEMPORARY TABLE incoming (
        document_id bigint NOT NULL, class_id bigint NOT NULL, confidence double precision NOT NULL
    ) ON COMMIT DROP
"""
_UPSERT = """
    INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence)
    SELECT document_id, $1, class_id, 1, confidence FROM incoming ORDER BY document_id
    ON CONFLICT (document_id, field_id) DO UPDATE SET
        class_id = excluded.class_id,
        model_version = excluded.model_version,
        confidence = excluded.confidence
"""
_COLUMNS = "document_id, class_id, confidence"


def index(house: House, project: ImportReport) -> Seconds:
    """Index a project as a task: all of it, and when nothing has changed."""

    def build() -> None:
        house.succeed(house.client.index(project.project_id))

    return side_by_side(1, fresh=build, unchanged=build)


def predict_all(house: House, project: ImportReport, rounds: int) -> Seconds:
    """Predict a project as a task, rows and history written, against the bare write of its rows.

    Neither finds a row of the field.
    """
    rows = asyncio.run(_predicted(house, project))

    def predict() -> Iterator[None]:
        asyncio.run(_forget(house))
        yield
        house.succeed(house.client.predict(project.project_id, project.field_id, None))

    def bare_write() -> Iterator[None]:
        asyncio.run(_forget(house))
        yield
        asyncio.run(_write(house, project.field_id, rows))

    return side_by_side(rounds, predict=predict, bare_write=bare_write)


async def connect(house: House) -> asyncpg.Connection:
    """Connect to the database without anything between."""
    return await asyncpg.connect(house.database_uri.replace("postgresql+asyncpg", "postgresql"))


async def _predicted(house: House, project: ImportReport) -> bytes:
    """Predict once and return the rows as the CSV that COPY reads."""
    await asyncio.to_thread(
        lambda: house.succeed(house.client.predict(project.project_id, project.field_id, None))
    )
    connection = await connect(house)
    output = io.BytesIO()
    await connection.copy_from_query(
        f"SELECT {_COLUMNS} FROM prediction WHERE field_id = $1",
        project.field_id,
        output=output,
        format="csv",
    )
    await connection.close()
    return output.getvalue()


async def _forget(house: House) -> None:
    connection = await connect(house)
    await connection.execute("TRUNCATE prediction; CHECKPOINT")
    await connection.close()


async def _write(house: House, field_id: int, rows: bytes) -> None:
    connection = await connect(house)
    async with connection.transaction():
        await connection.execute(_CREATE)
        await connection.copy_to_table("incoming", source=io.BytesIO(rows), format="csv")
        await connection.execute(_UPSERT, field_id)
    await connection.close()
