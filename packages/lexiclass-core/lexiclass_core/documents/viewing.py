"""One document with all that its rows say: labels and predictions of each field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core.documents.resting import RestsOn
from lexiclass_core.models import (
    Document,
    DocumentLabel,
    Field,
    FieldClass,
    LabelSuspect,
    Prediction,
    Project,
    SuspectStatus,
)
from lexiclass_core.models.plain import plain
from lexiclass_core.numbers import LARGEST_ID

MOST_FIELDS: Final = 200
"""Fields that are shown of a document."""

MOST_CHOICES: Final = 2_000
"""Classes that are offered, of all fields together; of more, none are."""


class ClassChoice(NamedTuple):
    """A class that a document may have."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestPrediction:
    """What was predicted of a document last; see :class:`~lexiclass_core.models.Prediction`."""

    class_id: int
    class_name: str
    confidence: float
    model_version: int
    predicted_at: datetime
    is_accepted: bool | None
    rests_on: RestsOn


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOfDocument:
    """What is known of a document in one field.

    Attributes:
        label: Its class as somebody has said; None without one.
        suggested: The class that fits better than the label, where that looks wrong.
    """

    id: int
    name: str
    label: ClassChoice | None
    is_training_data: bool | None
    prediction: LatestPrediction | None
    suggested: ClassChoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentView:
    """A document.

    Attributes:
        content_path: Where its text lies; None for the usual place.
        metadata: Whatever its source says of it.
        choices: The classes of each field by its id; None where there are too many to offer.
    """

    id: int
    project_id: int
    project_name: str
    external_id: str | None
    content_path: str | None
    metadata: Any
    index_status: str
    created_at: datetime
    updated_at: datetime
    fields: Sequence[FieldOfDocument]
    choices: Mapping[int, Sequence[ClassChoice]] | None


async def view_document(session: AsyncSession, document_id: int) -> DocumentView | None:
    """A document with its labels and latest predictions; None if there is none."""
    if not 0 < document_id <= LARGEST_ID:
        return None
    found = await session.execute(
        select(Document, Project.name)
        .join(Project, Project.id == Document.project_id)
        .where(Document.id == document_id)
    )
    row = found.one_or_none()
    if row is None:
        return None
    document, project_name = row
    fields = await _fields(session, document)
    return plain(
        DocumentView,
        document,
        project_name=project_name,
        metadata=document.metadata_,
        fields=fields,
        choices=await class_choices(session, [field.id for field in fields]),
    )


async def class_choices(
    session: AsyncSession, field_ids: Sequence[int]
) -> Mapping[int, Sequence[ClassChoice]] | None:
    """The classes of fields, by name; None if there are more than anybody would choose from."""
    rows = await session.execute(
        select(FieldClass.field_id, FieldClass.id, FieldClass.name)
        .where(FieldClass.field_id.in_(field_ids))
        .order_by(FieldClass.name)
        .limit(MOST_CHOICES + 1)
    )
    choices: dict[int, list[ClassChoice]] = {field_id: [] for field_id in field_ids}
    for field_id, class_id, name in rows:
        choices[field_id].append(ClassChoice(class_id, name))
    return choices if sum(map(len, choices.values())) <= MOST_CHOICES else None


async def _fields(session: AsyncSession, document: Document) -> list[FieldOfDocument]:
    labelled, predicted, better = (aliased(FieldClass) for _ in range(3))
    rows = await session.execute(
        select(Field.id, Field.name, DocumentLabel, labelled.name, Prediction, predicted.name,
               better.id, better.name)
        .select_from(Field)
        .outerjoin(
            DocumentLabel,
            and_(DocumentLabel.field_id == Field.id, DocumentLabel.document_id == document.id),
        )
        .outerjoin(labelled, labelled.id == DocumentLabel.class_id)
        .outerjoin(
            Prediction,
            and_(Prediction.field_id == Field.id, Prediction.document_id == document.id),
        )
        .outerjoin(predicted, predicted.id == Prediction.class_id)
        .outerjoin(
            LabelSuspect,
            and_(
                LabelSuspect.document_id == document.id,
                LabelSuspect.field_id == Field.id,
                LabelSuspect.class_id == DocumentLabel.class_id,
                LabelSuspect.status.in_([SuspectStatus.OPEN, SuspectStatus.CONFIRMED]),
            ),
        )
        .outerjoin(better, better.id == LabelSuspect.suggested_class_id)
        .where(Field.project_id == document.project_id)
        .order_by(Field.name, Field.id)
        .limit(MOST_FIELDS)
    )  # fmt: skip
    return [_field(list(row)) for row in rows]


def _field(row: Sequence[Any]) -> FieldOfDocument:
    field_id, name, label, label_name, prediction, predicted_name, better_id, better_name = row
    return FieldOfDocument(
        id=field_id,
        name=name,
        label=None if label is None else ClassChoice(label.class_id, label_name),
        is_training_data=None if label is None else label.is_training_data,
        prediction=None if prediction is None else _prediction(prediction, predicted_name),
        suggested=None if better_id is None else ClassChoice(better_id, better_name),
    )


def _prediction(row: Prediction, class_name: str) -> LatestPrediction:
    rests_on = RestsOn.of(row.metadata_)
    return plain(LatestPrediction, row, class_name=class_name, rests_on=rests_on)
