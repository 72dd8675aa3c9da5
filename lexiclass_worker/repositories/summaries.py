"""Counts and samples over several tables, for people."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core.models import Base, Document, DocumentLabel, FieldClass, Prediction


class ExamplePrediction(NamedTuple):
    """A prediction beside the truth."""

    document_id: int
    content_path: str
    predicted: str
    confidence: float
    true_class: str


async def count_rows(session: AsyncSession) -> dict[str, int]:
    """Number of rows of each table."""
    return {
        table.name: await session.scalar(select(func.count()).select_from(table)) or 0
        for table in Base.metadata.sorted_tables
    }


async def example_predictions(
    session: AsyncSession, field_id: int, limit: int
) -> list[ExamplePrediction]:
    """Predictions for test documents, evenly spread over their confidences."""
    true_class, predicted = aliased(FieldClass), aliased(FieldClass)
    rank = func.ntile(limit).over(order_by=(Prediction.confidence, Document.id))
    ranked = (
        select(
            Document.id.label("document_id"),
            Document.content_path,
            predicted.name.label("predicted"),
            Prediction.confidence,
            true_class.name.label("true_class"),
            rank.label("rank"),
        )
        .select_from(Prediction)
        .join(Document, Document.id == Prediction.document_id)
        .join(predicted, predicted.id == Prediction.class_id)
        .join(
            DocumentLabel,
            (DocumentLabel.document_id == Document.id) & (DocumentLabel.field_id == field_id),
        )
        .join(true_class, true_class.id == DocumentLabel.class_id)
        .where(Prediction.field_id == field_id, DocumentLabel.is_training_data.is_(False))
        .subquery()
    )
    rows = await session.execute(
        select(
            ranked.c.document_id,
            ranked.c.content_path,
            ranked.c.predicted,
            ranked.c.confidence,
            ranked.c.true_class,
        )
        .distinct(ranked.c.rank)
        .order_by(ranked.c.rank.desc(), ranked.c.confidence)
    )
    return [ExamplePrediction(*row) for row in rows]
