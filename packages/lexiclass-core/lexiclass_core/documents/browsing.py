"""The documents of a project, a page at a time, however many there are and whatever is asked for.

Each page walks one index: by the newest document, by the labels of a class or a split, or by what
sources call documents. What that index does not tell is looked up for each candidate, for
:data:`MOST_LOOKED_AT` of them at most. A page that ends there says where to go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, exists, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.documents.listing import ListedDocument, documents_with
from lexiclass_core.models import Document, DocumentLabel, IndexStatus
from lexiclass_core.numbers import LARGEST_ID, number_of
from lexiclass_core.storable import is_storable

MOST_LOOKED_AT: Final = 10_000
"""Candidates of a page: beyond them, somebody has to ask to go on."""

PAGE_SIZE: Final = 50

# Most pages are full after some; those that are not are looked for in larger steps.
_FIRST: Final = 500
_NEXT: Final = 5_000

_LAST_CHARACTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """Which documents of a project; all of them when nothing is said.

    Attributes:
        text: With this number, or with what their source calls them beginning so. Such pages are in
            the order of that name, by its code points.
        field_id: The field of the next three; without one ``is_labelled`` is about any.
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

    ``cursor`` is the ``next_cursor`` of the page before; one that is none is left aside.
    """
    by_name = bool(query.text)
    if not is_storable(query.text or "") or not is_storable(cursor or ""):
        return DocumentPage(documents=[], next_cursor=None, is_cut=False)
    found: list[tuple[int, str]] = []
    key, looked_at = cursor, 0
    while len(found) <= limit and looked_at < MOST_LOOKED_AT:
        size = min(_FIRST if key == cursor else _NEXT, MOST_LOOKED_AT - looked_at)
        candidates = (_named if by_name else _numbered)(query, key, size)
        found += await _fitting(session, query, candidates, limit + 1 - len(found))
        if len(found) > limit:
            break
        number, last = await _end(session, candidates, is_rising=by_name)
        looked_at += number
        key = last if number == size else None
        if key is None:
            break
    exact = await _exactly(session, query) if by_name and cursor is None else []
    ids = [*exact, *(number for number, _ in found[:limit] if number not in exact)]
    is_cut = len(found) <= limit and key is not None
    return DocumentPage(
        documents=await documents_with(session, query.project_id, ids),
        next_cursor=key if is_cut else found[limit - 1][1] if len(found) > limit else None,
        is_cut=is_cut,
    )


async def _fitting(
    session: AsyncSession, query: DocumentQuery, candidates: CTE, limit: int
) -> list[tuple[int, str]]:
    """Ids and keys of the candidates that fit, in their order."""
    order = candidates.c.key if query.text else candidates.c.key.desc()
    statement = (
        select(candidates.c.id, candidates.c.key)
        .where(*_conditions(query, candidates))
        .order_by(order)
        .limit(limit)
    )
    return [(int(number), str(key)) for number, key in await session.execute(statement)]


async def _end(
    session: AsyncSession, candidates: CTE, *, is_rising: bool
) -> tuple[int, str | None]:
    """How many candidates there are, and the key of the last."""
    last = func.max(candidates.c.key) if is_rising else func.min(candidates.c.key)
    number, key = (await session.execute(select(func.count(), last))).one()
    return int(number), None if key is None else str(key)


def _numbered(query: DocumentQuery, cursor: str | None, size: int) -> CTE:
    """Ids by falling number, from the index that tells most of what is asked for."""
    before = number_of(cursor or "") or LARGEST_ID
    if query.field_id is None or query.is_labelled is False or not _asks_for_labels(query):
        found = select(
            Document.id.label("id"), Document.id.label("key"), Document.index_status
        ).where(Document.project_id == query.project_id, Document.id < before)
        return _walked(found.order_by(Document.id.desc()).limit(size))
    labelled = DocumentLabel.document_id
    if query.class_id is not None:
        return _walked(_labelled(size, DocumentLabel.class_id == query.class_id, labelled < before))
    splits = [True, False] if query.is_training_data is None else [query.is_training_data]
    each = [
        _labelled(
            size,
            DocumentLabel.field_id == query.field_id,
            DocumentLabel.is_training_data.is_(split),
            labelled < before,
        )
        for split in splits
    ]
    if len(each) == 1:
        return _walked(each[0])
    # Each is in the order of its index; of both together it is a merge of their beginnings.
    both = union_all(*(select(one.subquery()) for one in each)).subquery()
    return _walked(select(both).order_by(both.c.key.desc()).limit(size))


def _labelled(size: int, *conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    document_id = DocumentLabel.document_id
    return (
        select(document_id.label("id"), document_id.label("key"))
        .where(*conditions)
        .order_by(document_id.desc())
        .limit(size)
    )


def _named(query: DocumentQuery, cursor: str | None, size: int) -> CTE:
    """Ids by what sources call documents, in the order of code points."""
    name, prefix = Document.external_id.collate("C"), query.text or ""
    found = select(Document.id.label("id"), name.label("key"), Document.index_status).where(
        Document.project_id == query.project_id, name >= prefix
    )
    if (end := _after_all_with(prefix)) is not None:
        found = found.where(name < end)
    if cursor is not None:
        found = found.where(name > cursor)
    return _walked(found.order_by(name).limit(size))


def _walked(candidates: Select[*tuple[Any, ...]]) -> CTE:
    """Candidates that are found first, whatever is asked of them then."""
    return candidates.cte("candidates").prefix_with("MATERIALIZED")


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


def _conditions(query: DocumentQuery, candidates: CTE) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.index_status is not None:
        told = candidates.c.get("index_status")
        conditions.append(
            told == query.index_status
            if told is not None
            else exists().where(
                Document.id == candidates.c.id, Document.index_status == query.index_status
            )
        )
    if not _asks_for_labels(query):
        return conditions
    asked = [DocumentLabel.document_id == candidates.c.id]
    if query.field_id is not None:
        asked.append(DocumentLabel.field_id == query.field_id)
    if query.class_id is not None:
        asked.append(DocumentLabel.class_id == query.class_id)
    if query.is_training_data is not None:
        asked.append(DocumentLabel.is_training_data.is_(query.is_training_data))
    labelled = exists().where(*asked)
    return [*conditions, ~labelled if query.is_labelled is False else labelled]


async def _exactly(session: AsyncSession, query: DocumentQuery) -> list[int]:
    """The document that has the text as its number."""
    number = number_of(query.text or "")
    if number is None:
        return []
    candidate = select(Document.id.label("id"), Document.index_status).where(
        Document.id == number, Document.project_id == query.project_id
    )
    candidates = _walked(candidate)
    found = select(candidates.c.id).where(*_conditions(query, candidates))
    return list(await session.scalars(found))
