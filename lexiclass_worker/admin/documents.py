"""Looking at a project's documents."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lexiclass_core.documents import find_documents
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.texts import excerpt, read_texts
from lexiclass_worker.errors import NotFound
from lexiclass_worker.repositories import document_rows, labels, projects
from lexiclass_worker.repositories.document_rows import (
    DocumentFilter,
    DocumentRow,
    FieldPrediction,
)
from lexiclass_worker.repositories.labels import FieldLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """A document in a list.

    Attributes:
        excerpt: The beginning of its text; None if it cannot be read.
    """

    row: DocumentRow
    labels: Sequence[FieldLabel]
    excerpt: str | None

    def as_fields(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return {
            "document_id": self.row.document_id,
            "id": self.row.source_id,
            "source": self.row.source,
            "index_status": self.row.index_status,
            "labels": [label._asdict() for label in self.labels],
            "excerpt": self.excerpt,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDetails:
    """All there is to know of a document.

    Attributes:
        text: All of it; None if it cannot be read.
    """

    row: DocumentRow
    labels: Sequence[FieldLabel]
    predictions: Sequence[FieldPrediction]
    text: str | None


async def list_documents(
    context: AdminContext, wanted: DocumentFilter, *, after: int, limit: int
) -> list[DocumentEntry]:
    """The documents that fit, by rising id from the one after ``after``.

    Raises:
        NotFound: If the project does not exist.
    """
    async with context.sessions() as session:
        await projects.require_project(session, wanted.project_id)
        rows = await document_rows.page(session, wanted, after=after, limit=limit)
        known = await labels.labels_of(session, [row.document_id for row in rows])
    places = [(row.document_id, row.content_path) for row in rows]
    texts = await read_texts(context, wanted.project_id, places)
    return [
        DocumentEntry(
            row=row,
            labels=known.get(row.document_id, ()),
            excerpt=excerpt(texts.get(row.document_id)),
        )
        for row in rows
    ]


async def show_document(context: AdminContext, project_id: int, reference: str) -> DocumentDetails:
    """A document that is named by its number, or as its source calls it.

    Raises:
        NotFound: If the project does not exist, or the document is deleted at that moment.
        DocumentNotFound: If the project has none of this name.
    """
    async with context.sessions() as session:
        await projects.require_project(session, project_id)
        (number,) = await find_documents(session, project_id, [reference])
        row = (await document_rows.sources_of(session, project_id, [number])).get(number)
        if row is None:
            raise NotFound(f"document {number} of project {project_id} was deleted just now")
        known = await labels.labels_of(session, [row.document_id])
        predicted = await document_rows.predictions_of(session, row.document_id)
    texts = await read_texts(context, project_id, [(row.document_id, row.content_path)])
    return DocumentDetails(
        row=row,
        labels=known.get(row.document_id, ()),
        predictions=predicted,
        text=texts.get(row.document_id),
    )


class Description(NamedTuple):
    """What people know a document by.

    Attributes:
        excerpt: The beginning of its text; None if it cannot be read.
    """

    source_id: str | None = None
    source: str | None = None
    excerpt: str | None = None


async def describe(
    context: AdminContext, project_id: int, document_ids: Collection[int]
) -> dict[int, Description]:
    """The descriptions of documents of a project; one that is gone has an empty one."""
    async with context.sessions() as session:
        rows = await document_rows.sources_of(session, project_id, list(document_ids))
    places = [(row.document_id, row.content_path) for row in rows.values()]
    texts = await read_texts(context, project_id, places)
    found = dict.fromkeys(document_ids, Description())
    for number, row in rows.items():
        found[number] = Description(row.source_id, row.source, excerpt(texts.get(number)))
    return found
