"""Labels: the true classes of documents, for training and for evaluation."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Document, DocumentLabel, FieldClass


class LabelledDocument(NamedTuple):
    """A document and its true class."""

    document_id: int
    content_path: str | None
    class_id: int
    class_name: str


async def training_labels(session: AsyncSession, field_id: int) -> list[LabelledDocument]:
    """The field's training data, by document id."""
    return await _labels(session, field_id, is_training_data=True)


async def test_labels(session: AsyncSession, field_id: int) -> list[LabelledDocument]:
    """The field's test data, by document id."""
    return await _labels(session, field_id, is_training_data=False)


async def _labels(
    session: AsyncSession, field_id: int, *, is_training_data: bool
) -> list[LabelledDocument]:
    rows = await session.execute(
        select(Document.id, Document.content_path, FieldClass.id, FieldClass.name)
        .select_from(DocumentLabel)
        .join(Document, Document.id == DocumentLabel.document_id)
        .join(FieldClass, FieldClass.id == DocumentLabel.class_id)
        .where(
            DocumentLabel.field_id == field_id,
            DocumentLabel.is_training_data == is_training_data,
        )
        .order_by(Document.id)
    )
    return [LabelledDocument(*row) for row in rows]
