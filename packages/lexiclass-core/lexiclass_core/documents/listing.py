"""Documents as lists show them, with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Document, DocumentLabel, Field, FieldClass
from lexiclass_core.models.plain import plain


class DocumentLabelling(NamedTuple):
    """A label of a document."""

    field_id: int
    field: str
    class_name: str
    is_training_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDocument:
    """A document in a list.

    Attributes:
        external_id: What its source calls it.
        labels: By the names of their fields.
    """

    id: int
    external_id: str | None
    index_status: str
    created_at: datetime
    labels: Sequence[DocumentLabelling]


async def documents_with(
    session: AsyncSession, project_id: int, ids: Sequence[int]
) -> list[ListedDocument]:
    """The documents of a project with these ids, in their order; those that are gone left out."""
    if not ids:
        return []
    rows = await session.scalars(
        select(Document).where(Document.id.in_(ids), Document.project_id == project_id)
    )
    there = {document.id: document for document in rows}
    labels = await _labels(session, ids)
    return [
        plain(ListedDocument, there[number], labels=labels.get(number, []))
        for number in ids
        if number in there
    ]


async def _labels(
    session: AsyncSession, document_ids: Sequence[int]
) -> Mapping[int, list[DocumentLabelling]]:
    found: dict[int, list[DocumentLabelling]] = {}
    rows = await session.execute(
        select(
            DocumentLabel.document_id,
            Field.id,
            Field.name,
            FieldClass.name,
            DocumentLabel.is_training_data,
        )
        .join(Field, Field.id == DocumentLabel.field_id)
        .join(
            FieldClass,
            and_(
                FieldClass.field_id == DocumentLabel.field_id,
                FieldClass.id == DocumentLabel.class_id,
            ),
        )
        .where(DocumentLabel.document_id.in_(document_ids))
        .order_by(Field.name, Field.id)
    )
    for document_id, field_id, field, class_name, is_training_data in rows:
        label = DocumentLabelling(field_id, field, class_name, is_training_data)
        found.setdefault(document_id, []).append(label)
    return found
