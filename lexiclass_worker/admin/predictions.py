"""Looking at the predictions and the labels of a field."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db import SessionFactory
from lexiclass_core.documents import SuspectLabel
from lexiclass_core.documents.resting import RestsOn
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.prediction_history import EarlierPrediction, read_history
from lexiclass_worker.admin.texts import read_texts
from lexiclass_worker.repositories import prediction_rows, projects
from lexiclass_worker.repositories.prediction_rows import (
    PAGE_ROWS,
    LabelFilter,
    LabelRow,
    PredictionFilter,
    PredictionRow,
)

Record = dict[str, Any]
"""A prediction or a label as plain values, by the names of its columns."""


async def predictions(
    context: AdminContext,
    wanted: PredictionFilter,
    *,
    changed_since: int | None = None,
    with_text: bool = False,
    after: int = 0,
    size: int = PAGE_ROWS,
) -> AsyncGenerator[list[Record]]:
    """The latest predictions that fit, by rising document, in pages, all of one moment.

    With ``changed_since``, those of documents of which this model version has said something else,
    ``previous_class``. ``with_text`` adds the documents' texts, as ``text``. They begin after a
    document, and ``size`` of them are looked at together.

    Raises:
        NotFound: If the project or the field does not exist, or the version has left no history.
    """
    earlier: dict[int, EarlierPrediction] | None = None
    async with _one_moment(context.sessions) as session:
        await projects.require_field(session, wanted.project_id, wanted.field_id)
    if changed_since is not None:
        earlier = await read_history(context, wanted.project_id, wanted.field_id, changed_since)
    async with (
        _one_moment(context.sessions) as session,
        aclosing(prediction_rows.predictions(session, wanted, after=after, size=size)) as pages,
    ):
        async for rows in pages:
            kept = [row for row in rows if _is_changed(row, earlier)]
            records = [_prediction(row, earlier) for row in kept]
            if with_text:
                await add_texts(context, wanted.project_id, kept, records)
            yield records


async def labels(
    context: AdminContext,
    wanted: LabelFilter,
    *,
    with_text: bool = False,
    after: int = 0,
    size: int = PAGE_ROWS,
) -> AsyncGenerator[list[Record]]:
    """The labels that fit, by rising document, in pages, all of one moment.

    Raises:
        NotFound: If the project or the field does not exist.
    """
    async with (
        _one_moment(context.sessions) as session,
        aclosing(prediction_rows.labels(session, wanted, after=after, size=size)) as pages,
    ):
        await projects.require_field(session, wanted.project_id, wanted.field_id)
        async for rows in pages:
            records = [_label(row) for row in rows]
            if with_text:
                await add_texts(context, wanted.project_id, rows, records)
            yield records


@asynccontextmanager
async def _one_moment(sessions: SessionFactory) -> AsyncIterator[AsyncSession]:
    """A transaction that sees what was committed when it began, however long it reads."""
    async with sessions() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield session


def _is_changed(row: PredictionRow, earlier: dict[int, EarlierPrediction] | None) -> bool:
    if earlier is None:
        return True
    before = earlier.get(row.document_id)
    return before is not None and before.class_id != row.class_id


def _prediction(row: PredictionRow, earlier: dict[int, EarlierPrediction] | None) -> Record:
    record = {
        "document_id": row.document_id,
        "id": row.source_id,
        "source": row.source,
        "predicted_class": row.predicted_class,
        "confidence": row.confidence,
        "model_version": row.model_version,
        "true_class": row.true_class,
        "split": _split(row),
        "predicted_at": row.predicted_at,
        "is_accepted": row.is_accepted,
        **RestsOn.of(row.metadata)._asdict(),
    }
    if earlier is not None:
        record["previous_class"] = earlier[row.document_id].class_name
    return record


def _label(row: LabelRow) -> Record:
    return {
        "document_id": row.document_id,
        "id": row.source_id,
        "source": row.source,
        "label": row.label,
        "split": _split(row),
    }


def _split(row: PredictionRow | LabelRow) -> str | None:
    if row.is_training_data is None:
        return None
    return "train" if row.is_training_data else "test"


async def add_texts(
    context: AdminContext,
    project_id: int,
    rows: Sequence[PredictionRow] | Sequence[LabelRow] | Sequence[SuspectLabel],
    records: Sequence[Record],
) -> None:
    """Give each record the text of its document, as ``text``; None where it cannot be read."""
    places = [(row.document_id, row.content_path) for row in rows]
    texts = await read_texts(context, project_id, places)
    for record in records:
        record["text"] = texts.get(record["document_id"])
