"""Documents as people look at them: where they came from, and what is said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Document, DocumentLabel, Field, FieldClass, Prediction
from lexiclass_worker.repositories.documents import among

SOURCE: Final[ColumnElement[str | None]] = Document.metadata_["source"].as_string()
"""Where a document was imported from, such as ``first.csv:2``."""

SOURCE_ID: Final[ColumnElement[str | None]] = func.coalesce(
    Document.external_id, Document.metadata_["id"].as_string()
)
"""What the source calls a document: its external id, else what its import noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFilter:
    """Which documents of a project; all of them when nothing is said.

    Attributes:
        is_labelled: Whether they have a label: of ``field_id``, or of any field.
        field_id: The field that ``is_labelled`` and ``class_id`` are about.
        source: With this text in their source or in its id, in whatever case.
    """

    project_id: int
    index_status: str | None = None
    is_labelled: bool | None = None
    field_id: int | None = None
    class_id: int | None = None
    source: str | None = None


class DocumentRow(NamedTuple):
    """A document. ``source_id`` is what its source calls it."""

    document_id: int
    source_id: str | None
    source: str | None
    index_status: str
    content_path: str | None
    metadata: dict[str, Any]


class FieldPrediction(NamedTuple):
    """The latest prediction of one field for a document."""

    field: str
    class_name: str
    confidence: float
    model_version: int
    predicted_at: datetime


async def page(
    session: AsyncSession, wanted: DocumentFilter, *, after: int, limit: int
) -> list[DocumentRow]:
    """The documents that fit, by rising id from the one after ``after``."""
    rows = await session.execute(
        _SELECT.where(*_conditions(wanted), Document.id > after).order_by(Document.id).limit(limit)
    )
    return [DocumentRow(*row) for row in rows]


async def sources_of(
    session: AsyncSession, project_id: int, document_ids: Sequence[int]
) -> dict[int, DocumentRow]:
    """Those of the ids that are documents of the project."""
    rows = await session.execute(
        _SELECT.where(Document.project_id == project_id, Document.id.in_(among(document_ids)))
    )
    return {row[0]: DocumentRow(*row) for row in rows}


async def predictions_of(session: AsyncSession, document_id: int) -> list[FieldPrediction]:
    """The latest prediction of each field for a document, by the fields' names."""
    rows = await session.execute(
        select(
            Field.name,
            FieldClass.name,
            Prediction.confidence,
            Prediction.model_version,
            Prediction.predicted_at,
        )
        .select_from(Prediction)
        .join(Document, Document.id == Prediction.document_id)
        # Of before a trigger refused them there may be predictions that join two projects.
        .join(Field, and_(Field.id == Prediction.field_id, Field.project_id == Document.project_id))
        .join(FieldClass, FieldClass.id == Prediction.class_id)
        .where(Prediction.document_id == document_id)
        .order_by(Field.name, Field.id)
    )
    return [FieldPrediction(*row) for row in rows]


def _conditions(wanted: DocumentFilter) -> list[ColumnElement[bool]]:
    conditions = [Document.project_id == wanted.project_id]
    if wanted.index_status is not None:
        conditions.append(Document.index_status == wanted.index_status)
    label = exists().where(DocumentLabel.document_id == Document.id)
    if wanted.field_id is not None:
        label = label.where(DocumentLabel.field_id == wanted.field_id)
    if wanted.is_labelled is not None:
        conditions.append(label if wanted.is_labelled else ~label)
    if wanted.class_id is not None:
        conditions.append(label.where(DocumentLabel.class_id == wanted.class_id))
    if wanted.source is not None:
        told = func.concat_ws("\n", SOURCE, SOURCE_ID)
        conditions.append(told.icontains(wanted.source, autoescape=True))
    return conditions


_SELECT: Final = select(
    Document.id,
    SOURCE_ID,
    SOURCE,
    Document.index_status,
    Document.content_path,
    Document.metadata_,
)
