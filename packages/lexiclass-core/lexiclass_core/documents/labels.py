"""Labels: set, replaced and removed."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.documents.errors import DocumentNotFound, FieldNotFound
from lexiclass_core.documents.fields import create_classes
from lexiclass_core.documents.values import Label
from lexiclass_core.models import Document, DocumentLabel, Field, FieldClass


class LabelCounts(NamedTuple):
    """How many labels are new, and how many were changed; the others were so already."""

    added: int
    changed: int


async def write_labels(
    session: AsyncSession, field_id: int, labels: Sequence[tuple[int, int, Label]]
) -> LabelCounts:
    """Make labels those of documents in a field, whatever they were before.

    Each label comes with the ids of its document and class; each document once.
    """
    if not labels:
        return LabelCounts(0, 0)
    rows = await session.execute(
        _WRITE,
        {
            "field_id": field_id,
            "documents": [document_id for document_id, _, _ in labels],
            "classes": [class_id for _, class_id, _ in labels],
            "trains": [label.is_training for _, _, label in labels],
            "are_given": [label.is_training_data is not None for _, _, label in labels],
        },
    )
    written = [is_new for (is_new,) in rows]
    return LabelCounts(sum(written), len(written) - sum(written))


async def set_label(
    session: AsyncSession, project_id: int, field_id: int, document_id: int, label: Label
) -> bool:
    """Make a label that of a document in a field. Returns whether it was another before, or none.

    Raises:
        FieldNotFound: If the project has no such field.
        DocumentNotFound: If the project has no such document.
        InvalidDocument: If a class cannot have this name.
    """
    await _require(session, project_id, field_id, document_id)
    class_ids = await create_classes(session, field_id, [label.class_name])
    counts = await write_labels(
        session, field_id, [(document_id, class_ids[label.class_name], label)]
    )
    return counts != (0, 0)


async def add_labels(session: AsyncSession, field_id: int, classes: Mapping[int, int]) -> set[int]:
    """Label documents that have no label in a field, each with its class, for training.

    Returns:
        The documents that are labelled now; others had a label before, or are gone.
    """
    rows = await session.execute(
        _ADD,
        {
            "field_id": field_id,
            "documents": list(classes),
            "classes": list(classes.values()),
        },
    )
    return {document_id for (document_id,) in rows}


async def locked_label(
    session: AsyncSession, field_id: int, document_id: int
) -> tuple[int, str] | None:
    """Id and name of the class that a document has in a field; None without a label.

    Nobody else changes that label until the end of the transaction.
    """
    rows = await session.execute(
        select(FieldClass.id, FieldClass.name)
        .join(DocumentLabel, DocumentLabel.class_id == FieldClass.id)
        .where(DocumentLabel.document_id == document_id, DocumentLabel.field_id == field_id)
        .with_for_update(of=DocumentLabel)
    )
    found = rows.first()
    return None if found is None else (found.id, found.name)


async def remove_label(
    session: AsyncSession, project_id: int, field_id: int, document_id: int
) -> bool:
    """Remove the label of a document in a field. Returns whether there was one.

    Raises:
        FieldNotFound: If the project has no such field.
        DocumentNotFound: If the project has no such document.
    """
    await _require(session, project_id, field_id, document_id)
    removed = await session.execute(
        delete(DocumentLabel)
        .where(DocumentLabel.document_id == document_id, DocumentLabel.field_id == field_id)
        .returning(DocumentLabel.id)
    )
    return removed.first() is not None


async def _require(session: AsyncSession, project_id: int, field_id: int, document_id: int) -> None:
    # What somebody removes just now is waited for, and what is there stays until this is committed.
    of_project = select(Field.id).where(Field.id == field_id, Field.project_id == project_id)
    if await session.scalar(of_project.with_for_update(read=True, key_share=True)) is None:
        raise FieldNotFound(f"project {project_id} has no field {field_id}")
    there = select(Document.id).where(Document.id == document_id, Document.project_id == project_id)
    if await session.scalar(there.with_for_update(read=True, key_share=True)) is None:
        raise DocumentNotFound(f"project {project_id} has no document {document_id}")


# In the order of the documents, so that two that write the same rows wait for each other. Rows that
# are so already are not written: they are not among those that come back.
_WRITE: Final = text(
    """
    INSERT INTO document_label (document_id, field_id, class_id, is_training_data)
    SELECT incoming.document_id, CAST(:field_id AS bigint), incoming.class_id,
        CASE WHEN incoming.is_given OR known.id IS NULL THEN incoming.trains
            ELSE known.is_training_data END
    FROM unnest(
        CAST(:documents AS bigint[]), CAST(:classes AS bigint[]),
        CAST(:trains AS boolean[]), CAST(:are_given AS boolean[])
    ) AS incoming (document_id, class_id, trains, is_given)
    LEFT JOIN document_label AS known
        ON known.document_id = incoming.document_id AND known.field_id = :field_id
    ORDER BY incoming.document_id
    ON CONFLICT (document_id, field_id) DO UPDATE SET
        class_id = excluded.class_id, is_training_data = excluded.is_training_data
    WHERE (document_label.class_id, document_label.is_training_data)
        <> (excluded.class_id, excluded.is_training_data)
    RETURNING xmax = 0 AS is_new
    """
)

# What another has said of a document meanwhile stays, and what another removes is left out.
_ADD: Final = text(
    """
    INSERT INTO document_label (document_id, field_id, class_id, is_training_data)
    SELECT document.id, field.id, field_class.id, true
    FROM unnest(CAST(:documents AS bigint[]), CAST(:classes AS bigint[]))
        AS incoming (document_id, class_id)
    JOIN field ON field.id = CAST(:field_id AS bigint)
    JOIN field_class
        ON field_class.id = incoming.class_id AND field_class.field_id = field.id
    JOIN document
        ON document.id = incoming.document_id AND document.project_id = field.project_id
    ORDER BY document.id
    FOR KEY SHARE OF document, field, field_class
    ON CONFLICT (document_id, field_id) DO NOTHING
    RETURNING document_id
    """
)
