"""Documents: where their text lies, and how far they are indexed."""

from array import array
from collections.abc import Collection, Sequence
from itertools import compress
from typing import Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Executable,
    Select,
    any_,
    bindparam,
    func,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Document, IndexStatus
from lexiclass_core.schemas import DocumentRange
from lexiclass_worker.errors import NotFound
from lexiclass_worker.jobs.document_refs import DocumentRefs

# Rows that are fetched at a time, as arrays.
_PAGE: Final = 100_000

_LARGEST_ID: Final = 2**63 - 1


class DocumentRow(NamedTuple):
    """A document as work on it needs it. ``content_path`` is null for the usual place."""

    id: int
    content_path: str | None


class ListedDocuments(NamedTuple):
    """All documents of a project, by id; of those not indexed, as their rows say, the ids too."""

    documents: DocumentRefs
    unindexed: "array[int]"


def among(ids: Collection[int]) -> Select[tuple[int]]:
    """Ids to choose by, in one parameter however many they are."""
    return select(func.unnest(bindparam("ids", list(ids), type_=ARRAY(BigInteger))))


async def list_documents(session: AsyncSession, project_id: int) -> ListedDocuments:
    """Every document of a project.

    They come as arrays, which take a third of the time of as many rows.
    """
    documents, unindexed, after = DocumentRefs(), array("q"), 0
    while True:
        page = await session.execute(_PAGE_AFTER, {"project": project_id, "after": after})
        ids, paths, are_unindexed = page.one()
        if not ids:
            return ListedDocuments(documents, unindexed)
        documents.extend(ids, paths)
        unindexed.extend(compress(ids, are_unindexed))
        after = ids[-1]


def _page_after(size: int) -> Executable:
    page = (
        select(
            Document.id,
            Document.content_path,
            (Document.index_status != IndexStatus.INDEXED).label("is_unindexed"),
        )
        .where(Document.project_id == bindparam("project"), Document.id > bindparam("after"))
        .order_by(Document.id)
        .limit(size)
        .subquery()
    )
    return select(*(func.array_agg(aggregate_order_by(column, page.c.id)) for column in page.c))


async def find_documents(
    session: AsyncSession, project_id: int, document_ids: Sequence[int]
) -> list[DocumentRow]:
    """Those of the ids that are documents of the project, by id, each once."""
    rows = await session.execute(_FIND, {"project": project_id, "ids": list(document_ids)})
    return [DocumentRow(*row) for row in rows]


async def require_document(session: AsyncSession, project_id: int, document_id: int) -> None:
    """Check that a document is one of the project.

    Raises:
        NotFound: If it is not.
    """
    if not await find_documents(session, project_id, [document_id]):
        raise NotFound(
            f"project {project_id} has no document {document_id}",
            details={"project_id": project_id, "document_id": document_id},
        )


async def documents_between(
    session: AsyncSession, project_id: int, first: int = 0, last: int = _LARGEST_ID
) -> list[DocumentRow]:
    """The documents of a project with ids from ``first`` to ``last``, both included, by id.

    They come as two arrays, which take a third of the time of as many rows.
    """
    ids = func.array_agg(aggregate_order_by(Document.id, Document.id))
    paths = func.array_agg(aggregate_order_by(Document.content_path, Document.id))
    columns = await session.execute(
        select(ids, paths).where(
            Document.project_id == project_id, Document.id.between(first, last)
        )
    )
    found = columns.one()
    return list(map(DocumentRow, found[0] or (), found[1] or ()))


async def documents_asked_for(
    session: AsyncSession, project_id: int, asked: list[int] | DocumentRange
) -> list[DocumentRow]:
    """Those of some ids, or of a range of them, that the project has, by id."""
    if isinstance(asked, list):
        return await find_documents(session, project_id, asked)
    return await documents_between(session, project_id, asked.first, asked.last)


async def largest_id(session: AsyncSession, project_id: int) -> int:
    """The largest id of a document of a project; 0 if it has none."""
    largest = await session.scalar(
        select(func.max(Document.id)).where(Document.project_id == project_id)
    )
    return largest or 0


async def count(session: AsyncSession, project_id: int) -> int:
    """How many documents a project has."""
    number = await session.scalar(select(func.count()).where(Document.project_id == project_id))
    return number or 0


async def ranges(session: AsyncSession, project_id: int, parts: int) -> list[tuple[int, int]]:
    """First and last id of each of so many equal parts of a project's documents, by id."""
    numbered = (
        select(Document.id, func.ntile(parts).over(order_by=Document.id).label("part"))
        .where(Document.project_id == project_id)
        .subquery()
    )
    rows = await session.execute(
        select(func.min(numbered.c.id), func.max(numbered.c.id))
        .group_by(numbered.c.part)
        .order_by(numbered.c.part)
    )
    return [(first, last) for first, last in rows]


async def set_index_status(
    session: AsyncSession, document_ids: Sequence[int], status: IndexStatus
) -> None:
    """Set the status of some documents; rows that have it already are left alone."""
    await session.execute(
        update(Document)
        .where(Document.id.in_(among(document_ids)), Document.index_status != status)
        .values(index_status=status)
        .execution_options(synchronize_session=False)
    )


_PAGE_AFTER: Final = _page_after(_PAGE)

# Made once, of the table: small predictions ask little else.
_DOCUMENT = inspect(Document).local_table
_FIND: Final = (
    select(_DOCUMENT.c.id, _DOCUMENT.c.content_path)
    .where(
        _DOCUMENT.c.project_id == bindparam("project"),
        _DOCUMENT.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))),
    )
    .order_by(_DOCUMENT.c.id)
)
