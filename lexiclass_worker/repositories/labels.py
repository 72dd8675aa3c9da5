"""Labels: the true classes of documents, for training and for evaluation."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Document, DocumentLabel, Field, FieldClass, Model
from lexiclass_worker.repositories.documents import among


class FieldLabel(NamedTuple):
    """What one field says of a document."""

    field: str
    class_name: str
    is_training_data: bool


class LabelledDocument(NamedTuple):
    """A document and its true class."""

    document_id: int
    content_path: str | None
    class_id: int
    class_name: str


class LabelChanges(NamedTuple):
    """What became of a field's training labels between two moments, as far as rows tell.

    Those that were deleted left nothing, and of one that changed twice the later change counts.
    """

    added: int
    changed: int


# Characters of a value that documents have in common.
_LONGEST_VALUE: Final = 200

# Of before a trigger refused them there may be labels that join two projects.
_IS_OF_ONE_PROJECT: Final = Document.project_id == Field.project_id


async def columns_of(
    session: AsyncSession, document_ids: Sequence[int], keys: Sequence[str]
) -> dict[str, list[str | None]]:
    """What documents may have in common.

    Args:
        session: Where to read.
        document_ids: The documents.
        keys: Of their metadata, beside the folder of their source: texts, numbers and truth values
            are taken, what is nested is not.

    Returns:
        A value of each document, in their order, by ``folder`` and by key; None where it has none,
        or is deleted by now.
    """
    folder = func.nullif(
        func.regexp_replace(Document.metadata_["source"].astext, "/?[^/]*$", ""), ""
    )
    columns = {"folder": folder, **{key: _plain(Document.metadata_[key]) for key in keys}}
    values = [func.left(value, _LONGEST_VALUE) for value in columns.values()]
    rows = await session.execute(
        select(Document.id, *values).where(Document.id.in_(among(document_ids)))
    )
    found = {number: row for number, *row in rows}
    nothing = [None] * len(columns)
    return {
        name: [found.get(number, nothing)[place] for number in document_ids]
        for place, name in enumerate(columns)
    }


def _plain(value: Any) -> ColumnElement[str | None]:
    kind = func.jsonb_typeof(value)
    return case((kind.in_(("string", "number", "boolean")), value.astext))


async def label_changes(session: AsyncSession, first: Model, second: Model) -> LabelChanges | None:
    """What became of a field's training labels between the trainings of two of its versions.

    None if it is not known when they were trained.
    """
    if first.trained_at is None or second.trained_at is None:
        return None
    begin, end = sorted((first.trained_at, second.trained_at))
    added = DocumentLabel.created_at > begin
    counts = await session.execute(
        select(func.count().filter(added), func.count().filter(~added)).where(
            DocumentLabel.field_id == first.field_id,
            DocumentLabel.is_training_data,
            DocumentLabel.created_at <= end,
            DocumentLabel.updated_at > begin,
            DocumentLabel.updated_at <= end,
        )
    )
    return LabelChanges(*counts.one())


async def labels_of(
    session: AsyncSession, document_ids: Sequence[int]
) -> dict[int, list[FieldLabel]]:
    """What all fields say of documents, by the fields' names; those without a label are not in."""
    rows = await session.execute(
        select(
            DocumentLabel.document_id, Field.name, FieldClass.name, DocumentLabel.is_training_data
        )
        .select_from(DocumentLabel)
        .join(Document, Document.id == DocumentLabel.document_id)
        .join(Field, Field.id == DocumentLabel.field_id)
        .join(FieldClass, FieldClass.id == DocumentLabel.class_id)
        .where(DocumentLabel.document_id.in_(among(document_ids)), _IS_OF_ONE_PROJECT)
        .order_by(DocumentLabel.document_id, Field.name, Field.id)
    )
    found: dict[int, list[FieldLabel]] = {}
    for document_id, field, class_name, is_training_data in rows:
        label = FieldLabel(field, class_name, is_training_data)
        found.setdefault(document_id, []).append(label)
    return found


async def labelled_documents(
    session: AsyncSession, field_id: int, *, is_training_data: bool
) -> list[LabelledDocument]:
    """The field's training data, or its test data, by document id."""
    rows = await session.execute(
        select(Document.id, Document.content_path, FieldClass.id, FieldClass.name)
        .select_from(DocumentLabel)
        .join(Document, Document.id == DocumentLabel.document_id)
        .join(FieldClass, FieldClass.id == DocumentLabel.class_id)
        .join(Field, Field.id == DocumentLabel.field_id)
        .where(
            DocumentLabel.field_id == field_id,
            DocumentLabel.is_training_data == is_training_data,
            _IS_OF_ONE_PROJECT,
        )
        .order_by(Document.id)
    )
    return [LabelledDocument(*row) for row in rows]
