"""The documents of a project, a page at a time, however many there are and whatever is asked for.

Each page walks one index: by the newest document, by the labels of a class or a split, or by what
sources call documents. What that index does not tell is looked up for each candidate, for
:data:`MOST_LOOKED_AT` of them at most. A page that ends there says where to go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, and_, exists, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Document, DocumentLabel, Field, FieldClass, IndexStatus
from lexiclass_core.numbers import LARGEST_ID, number_of
from lexiclass_core.storable import is_storable

MOST_LOOKED_AT: Final = 10_000
"""Candidates of a page: beyond them, somebody has to ask to go on."""

PAGE_SIZE: Final = 50

_LAST_CHARACTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """Which documents of a project; all of them when nothing is said.

    Attributes:
        project_id: The project.
        text: With this number, or with what their source calls them beginning so. Such pages are in
            the order of that name, by its code points.
        index_status: In this status.
        field_id: The field of the next three; without one ``is_labelled`` is about any.
        class_id: With this label.
        is_training_data: With a label for training, or for testing.
        is_labelled: With any label, or without one.
    """

    project_id: int
    text: str | None = None
    index_status: IndexStatus | None = None
    field_id: int | None = None
    class_id: int | None = None
    is_training_data: bool | None = None
    is_labelled: bool | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """Some of the documents that fit.

    Attributes:
        documents: In the order of the query.
        next_cursor: Where the next page begins; None if there is none.
        is_cut: Whether it ends because enough candidates were looked at, with or without documents
            that fit.
    """

    documents: Sequence[ListedDocument]
    next_cursor: str | None
    is_cut: bool


async def list_documents(
    session: AsyncSession,
    query: DocumentQuery,
    *,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> DocumentPage:
    """A page of documents: the newest first, or by name where a text is asked for.

    Args:
        session: The caller's transaction.
        query: Which of them.
        cursor: ``next_cursor`` of the page before; one that is none is left aside.
        limit: Most documents of the page.
    """
    by_name = bool(query.text)
    if not is_storable(query.text or "") or not is_storable(cursor or ""):
        return DocumentPage(documents=[], next_cursor=None, is_cut=False)
    candidates = (_named if by_name else _numbered)(query, cursor)
    fitting = (
        select(Document, candidates.c.key)
        .select_from(candidates)
        .join(Document, Document.id == candidates.c.id)
        .where(Document.project_id == query.project_id, *_conditions(query))
        .order_by(candidates.c.key if by_name else candidates.c.key.desc())
        .limit(limit + 1)
    )
    rows = [(row[0], str(row[1])) for row in await session.execute(fitting)]
    exact = await _exactly(session, query) if by_name and cursor is None else []
    next_cursor, is_cut = rows[limit - 1][1] if len(rows) > limit else None, False
    if next_cursor is None:
        # Only a page that is not full has to know how far it has looked.
        end = func.max(candidates.c.key) if by_name else func.min(candidates.c.key)
        looked_at, last = (await session.execute(select(func.count(), end))).one()
        if looked_at == MOST_LOOKED_AT:
            next_cursor, is_cut = str(last), True
    documents = [*exact, *(document for document, _ in rows[:limit] if document not in exact)]
    labels = await _labels(session, [document.id for document in documents])
    return DocumentPage(
        documents=[_listed(document, labels) for document in documents],
        next_cursor=next_cursor,
        is_cut=is_cut,
    )


def _numbered(query: DocumentQuery, cursor: str | None) -> Subquery:
    """Ids by falling number, from the index that tells most of what is asked for."""
    before = number_of(cursor or "") or LARGEST_ID
    if query.field_id is None or query.is_labelled is False or not _asks_for_labels(query):
        found = select(Document.id.label("id"), Document.id.label("key")).where(
            Document.project_id == query.project_id, Document.id < before
        )
        return found.order_by(Document.id.desc()).limit(MOST_LOOKED_AT).subquery()
    labelled = DocumentLabel.document_id
    if query.class_id is not None:
        return _labelled(DocumentLabel.class_id == query.class_id, labelled < before).subquery()
    splits = [True, False] if query.is_training_data is None else [query.is_training_data]
    # Each is in the order of its index; of both together it is a merge of their beginnings.
    each = [
        _labelled(
            DocumentLabel.field_id == query.field_id,
            DocumentLabel.is_training_data.is_(split),
            labelled < before,
        )
        for split in splits
    ]
    if len(each) == 1:
        return each[0].subquery()
    both = union_all(*(select(one.subquery()) for one in each)).subquery()
    return select(both).order_by(both.c.key.desc()).limit(MOST_LOOKED_AT).subquery()


def _labelled(*conditions: ColumnElement[bool]) -> Select[int, int]:
    document_id = DocumentLabel.document_id
    return (
        select(document_id.label("id"), document_id.label("key"))
        .where(*conditions)
        .order_by(document_id.desc())
        .limit(MOST_LOOKED_AT)
    )


def _named(query: DocumentQuery, cursor: str | None) -> Subquery:
    """Ids by what sources call documents, in the order of code points."""
    name, prefix = Document.external_id.collate("C"), query.text or ""
    found = select(Document.id.label("id"), name.label("key")).where(
        Document.project_id == query.project_id, name >= prefix
    )
    if (end := _after_all_with(prefix)) is not None:
        found = found.where(name < end)
    if cursor is not None:
        found = found.where(name > cursor)
    return found.order_by(name).limit(MOST_LOOKED_AT).subquery()


def _after_all_with(prefix: str) -> str | None:
    """The first text that comes after all that begin so; None if none does."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    # Half of a character is none that PostgreSQL could compare with.
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _asks_for_labels(query: DocumentQuery) -> bool:
    return (query.class_id, query.is_training_data, query.is_labelled) != (None, None, None)


def _conditions(query: DocumentQuery) -> list[ColumnElement[bool]]:
    conditions = []
    if query.index_status is not None:
        conditions.append(Document.index_status == query.index_status)
    if not _asks_for_labels(query):
        return conditions
    asked = [DocumentLabel.document_id == Document.id]
    if query.field_id is not None:
        asked.append(DocumentLabel.field_id == query.field_id)
    if query.class_id is not None:
        asked.append(DocumentLabel.class_id == query.class_id)
    if query.is_training_data is not None:
        asked.append(DocumentLabel.is_training_data.is_(query.is_training_data))
    labelled = exists().where(*asked)
    return [*conditions, ~labelled if query.is_labelled is False else labelled]


async def _exactly(session: AsyncSession, query: DocumentQuery) -> list[Document]:
    """The document that has the text as its number."""
    number = number_of(query.text or "")
    if number is None:
        return []
    found = select(Document).where(
        Document.id == number, Document.project_id == query.project_id, *_conditions(query)
    )
    return list(await session.scalars(found))


async def _labels(
    session: AsyncSession, document_ids: Sequence[int]
) -> Mapping[int, list[DocumentLabelling]]:
    found: dict[int, list[DocumentLabelling]] = {}
    if not document_ids:
        return found
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


def _listed(document: Document, labels: Mapping[int, list[DocumentLabelling]]) -> ListedDocument:
    return ListedDocument(
        id=document.id,
        external_id=document.external_id,
        index_status=document.index_status,
        created_at=document.created_at,
        labels=labels.get(document.id, []),
    )
