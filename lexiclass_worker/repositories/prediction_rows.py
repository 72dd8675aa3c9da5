"""Predictions and labels as people look at them: with names, sources and the truth."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core.models import Document, DocumentLabel, FieldClass, Prediction
from lexiclass_worker.repositories.document_rows import SOURCE, SOURCE_ID

PAGE_ROWS: Final = 1_000
"""Rows that are asked for at a time, unless said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFilter:
    """Which of the latest predictions of a field; all of them when nothing is said.

    Attributes:
        is_wrong: Of documents with a label, which is another class.
        is_training_data: Of documents with a label that is training data, or test data.
        is_unfamiliar: Of documents that the model takes for unlike those it was trained on.
        is_accepted: Marked as accepted, or as to be reviewed.
    """

    project_id: int
    field_id: int
    class_id: int | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    is_labelled: bool = False
    is_wrong: bool = False
    is_training_data: bool | None = None
    is_unfamiliar: bool = False
    is_accepted: bool | None = None


class PredictionRow(NamedTuple):
    """A prediction, and the document's label if it has one."""

    document_id: int
    content_path: str | None
    source_id: str | None
    source: str | None
    class_id: int
    predicted_class: str
    confidence: float
    model_version: int
    predicted_at: datetime
    is_accepted: bool | None
    metadata: Any
    true_class: str | None
    is_training_data: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFilter:
    """Which labels of a field; all of them when nothing is said."""

    project_id: int
    field_id: int
    class_id: int | None = None
    is_training_data: bool | None = None


class LabelRow(NamedTuple):
    """A label and its document."""

    document_id: int
    content_path: str | None
    source_id: str | None
    source: str | None
    label: str
    is_training_data: bool


async def predictions(
    session: AsyncSession, wanted: PredictionFilter, *, after: int, size: int = PAGE_ROWS
) -> AsyncGenerator[list[PredictionRow]]:
    """The predictions that fit, by rising document from the one after ``after``, in pages."""
    async for rows in _pages(session, _predictions(wanted), after, size):
        yield [PredictionRow(*row) for row in rows]


async def labels(
    session: AsyncSession, wanted: LabelFilter, *, after: int, size: int = PAGE_ROWS
) -> AsyncGenerator[list[LabelRow]]:
    """The labels that fit, by rising document from the one after ``after``, in pages."""
    async for rows in _pages(session, _labels(wanted), after, size):
        yield [LabelRow(*row) for row in rows]


async def _pages(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], after: int, size: int
) -> AsyncGenerator[list[Any]]:
    ordered: Select[*tuple[Any, ...]] = statement.order_by(Document.id).limit(size)
    while True:
        rows = list(await session.execute(ordered.where(Document.id > after)))
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = rows[-1][0]


def _predictions(wanted: PredictionFilter) -> Select[*tuple[Any, ...]]:
    predicted, true_class = aliased(FieldClass), aliased(FieldClass)
    same_field = DocumentLabel.field_id == Prediction.field_id
    return (
        select(
            Document.id,
            Document.content_path,
            SOURCE_ID,
            SOURCE,
            Prediction.class_id,
            predicted.name,
            Prediction.confidence,
            Prediction.model_version,
            Prediction.predicted_at,
            Prediction.is_accepted,
            Prediction.metadata_,
            true_class.name,
            DocumentLabel.is_training_data,
        )
        .select_from(Document)
        .join(Prediction, Prediction.document_id == Document.id)
        .join(predicted, predicted.id == Prediction.class_id)
        .outerjoin(DocumentLabel, and_(DocumentLabel.document_id == Document.id, same_field))
        .outerjoin(true_class, true_class.id == DocumentLabel.class_id)
        .where(Document.project_id == wanted.project_id, *_fitting(wanted))
    )


def _fitting(wanted: PredictionFilter) -> list[ColumnElement[bool]]:
    conditions = [Prediction.field_id == wanted.field_id]
    if wanted.is_unfamiliar:
        conditions.append(Prediction.metadata_.contains({"unfamiliar": True}))
    if wanted.is_accepted is not None:
        conditions.append(Prediction.is_accepted.is_(wanted.is_accepted))
    if wanted.class_id is not None:
        conditions.append(Prediction.class_id == wanted.class_id)
    if wanted.min_confidence is not None:
        conditions.append(Prediction.confidence >= wanted.min_confidence)
    if wanted.max_confidence is not None:
        conditions.append(Prediction.confidence <= wanted.max_confidence)
    if wanted.is_labelled:
        conditions.append(DocumentLabel.class_id.is_not(None))
    if wanted.is_wrong:
        conditions.append(DocumentLabel.class_id != Prediction.class_id)
    if wanted.is_training_data is not None:
        conditions.append(DocumentLabel.is_training_data == wanted.is_training_data)
    return conditions


def _labels(wanted: LabelFilter) -> Select[*tuple[Any, ...]]:
    statement: Select[*tuple[Any, ...]] = (
        select(
            Document.id,
            Document.content_path,
            SOURCE_ID,
            SOURCE,
            FieldClass.name,
            DocumentLabel.is_training_data,
        )
        .select_from(Document)
        .join(DocumentLabel, DocumentLabel.document_id == Document.id)
        .join(FieldClass, FieldClass.id == DocumentLabel.class_id)
        .where(Document.project_id == wanted.project_id, DocumentLabel.field_id == wanted.field_id)
    )
    if wanted.class_id is not None:
        statement = statement.where(DocumentLabel.class_id == wanted.class_id)
    if wanted.is_training_data is not None:
        statement = statement.where(DocumentLabel.is_training_data == wanted.is_training_data)
    return statement
