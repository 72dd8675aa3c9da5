"""Predictions that somebody is to look at: in which order, and what becomes of them.

They are those that a task has marked as not accepted, of documents that have no label: what people
decide is a label, and the prediction stays as the model has made it. First come documents that are
unlike those of training, then those of which the model is least sure: of what it is sure and right,
another label teaches it little (uncertainty sampling: Lewis and Gale, SIGIR 1994).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import CTE, ColumnElement, and_, exists, func, literal_column, not_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.documents.resting import RestsOn
from lexiclass_core.documents.reviews import (
    ReviewCount,
    ReviewPage,
    ReviewPosition,
    ReviewQuery,
    ToReview,
)
from lexiclass_core.models import Document, DocumentLabel, Field, FieldClass, Prediction
from lexiclass_core.models.plain import plain

MOST_LOOKED_AT: Final = 5_000
"""Candidates of a page, and of a count: beyond them, somebody has to ask to go on."""

# As in the index: what is bound as a parameter would not be found in it.
_IS_UNFAMILIAR: Final[ColumnElement[bool]] = literal_column(
    "(prediction.metadata @> '{\"unfamiliar\": true}'::jsonb)"
)

# Most pages are full after some; those that are not are looked for in larger steps.
_FIRST: Final = 500
_NEXT: Final = 5_000


async def list_to_review(
    session: AsyncSession,
    query: ReviewQuery,
    *,
    after: ReviewPosition | None = None,
    limit: int = 50,
) -> ReviewPage:
    """Predictions to review, behind one or from the first on, those first that help most."""
    found: list[ToReview] = []
    for is_unfamiliar in (True, False):
        if query.is_unfamiliar not in {None, is_unfamiliar}:
            continue
        if after is not None and after.is_unfamiliar < is_unfamiliar:
            continue
        begins = after if after is not None and after.is_unfamiliar == is_unfamiliar else None
        some = await _segment(
            session, query, begins, limit + 1 - len(found), is_unfamiliar=is_unfamiliar
        )
        found += some.predictions
        if len(found) > limit:
            return ReviewPage(predictions=found[:limit], next_position=found[limit - 1].position)
        if some.next_position is not None:
            return ReviewPage(predictions=found, next_position=some.next_position)
    return ReviewPage(predictions=found, next_position=None)


async def count_to_review(session: AsyncSession, query: ReviewQuery) -> ReviewCount:
    """Count the predictions that fit, as far as 5,000 that are marked."""
    marked = (
        select(Prediction.document_id, Prediction.field_id, Prediction.class_id)
        .where(*_marked(query))
        .limit(MOST_LOOKED_AT)
        .cte("marked")
        .prefix_with("MATERIALIZED")
    )
    fits = not_(_is_labelled(marked.c.document_id, marked.c.field_id))
    if query.class_id is not None:
        fits = and_(fits, marked.c.class_id == query.class_id)
    row = await session.execute(select(func.count().filter(fits), func.count()).select_from(marked))
    number, looked_at = row.one()
    return ReviewCount(number, looked_at == MOST_LOOKED_AT)


async def still_predicted(
    session: AsyncSession, field_id: int, shown: Mapping[int, int]
) -> dict[int, int]:
    """Of documents and the classes that they were shown with, those that are predicted so still."""
    rows = await session.execute(
        select(Prediction.document_id, Prediction.class_id).where(
            Prediction.field_id == field_id,
            Prediction.document_id.in_(list(shown)),
            Prediction.is_accepted.is_(False),
        )
    )
    return {document: found for document, found in rows if shown[document] == found}


async def _segment(
    session: AsyncSession,
    query: ReviewQuery,
    after: ReviewPosition | None,
    limit: int,
    *,
    is_unfamiliar: bool,
) -> ReviewPage:
    found: list[tuple[int, ReviewPosition]] = []
    begins, looked_at, is_over = after, 0, False
    while len(found) < limit and looked_at < MOST_LOOKED_AT and not is_over:
        size = min(_FIRST if begins == after else _NEXT, MOST_LOOKED_AT - looked_at)
        candidates = _candidates(query, begins, size, is_unfamiliar=is_unfamiliar)
        found += await _waiting(
            session, query, candidates, limit - len(found), is_unfamiliar=is_unfamiliar
        )
        if len(found) < limit:
            last = select(candidates.c.confidence, candidates.c.document_id).order_by(
                candidates.c.confidence, candidates.c.document_id
            )
            end = (await session.execute(last.offset(size - 1))).one_or_none()
            looked_at, is_over = looked_at + size, end is None
            begins = None if end is None else ReviewPosition(is_unfamiliar, *end)
    predictions = await _described(
        session, [number for number, _ in found], is_unfamiliar=is_unfamiliar
    )
    if len(found) < limit:
        return ReviewPage(predictions=predictions, next_position=None if is_over else begins)
    is_short = len(predictions) < limit
    return ReviewPage(predictions=predictions, next_position=found[-1][1] if is_short else None)


def _candidates(
    query: ReviewQuery, after: ReviewPosition | None, size: int, *, is_unfamiliar: bool
) -> CTE:
    """Predictions that are marked, in their order, with and without labels."""
    marked = select(
        Prediction.id,
        Prediction.document_id,
        Prediction.field_id,
        Prediction.class_id,
        Prediction.confidence,
    ).where(*_marked(query), _IS_UNFAMILIAR if is_unfamiliar else not_(_IS_UNFAMILIAR))
    if after is not None:
        place = tuple_(Prediction.confidence, Prediction.document_id)
        marked = marked.where(place > (after.confidence, after.document_id))
    ordered = marked.order_by(Prediction.confidence, Prediction.document_id).limit(size)
    # Found first, whatever is asked of them then.
    return ordered.cte("candidates").prefix_with("MATERIALIZED")


async def _waiting(
    session: AsyncSession, query: ReviewQuery, candidates: CTE, limit: int, *, is_unfamiliar: bool
) -> list[tuple[int, ReviewPosition]]:
    """Ids and places of the candidates that fit and have no label, in their order."""
    fits = [not_(_is_labelled(candidates.c.document_id, candidates.c.field_id))]
    if query.class_id is not None:
        fits.append(candidates.c.class_id == query.class_id)
    rows = await session.execute(
        select(candidates.c.id, candidates.c.confidence, candidates.c.document_id)
        .where(*fits)
        .order_by(candidates.c.confidence, candidates.c.document_id)
        .limit(limit)
    )
    return [(number, ReviewPosition(is_unfamiliar, *place)) for number, *place in rows]


async def _described(
    session: AsyncSession, ids: Sequence[int], *, is_unfamiliar: bool
) -> list[ToReview]:
    if not ids:
        return []
    rows = await session.execute(
        select(Prediction, Document.external_id, Document.content_path, FieldClass.name)
        .join(Field, Field.id == Prediction.field_id)
        # Of before a trigger refused them there may be predictions that join two projects.
        .join(
            Document,
            and_(Document.id == Prediction.document_id, Document.project_id == Field.project_id),
        )
        .join(FieldClass, FieldClass.id == Prediction.class_id)
        .where(Prediction.id.in_(ids))
    )
    found = {row[0].id: _to_review(*row, is_unfamiliar=is_unfamiliar) for row in rows}
    return [found[each] for each in ids if each in found]


def _is_labelled(
    document_id: ColumnElement[int], field_id: ColumnElement[int]
) -> ColumnElement[bool]:
    return exists().where(
        DocumentLabel.document_id == document_id, DocumentLabel.field_id == field_id
    )


def _marked(query: ReviewQuery) -> list[ColumnElement[bool]]:
    conditions = [Prediction.field_id == query.field_id, Prediction.is_accepted.is_(False)]
    if query.min_confidence is not None:
        conditions.append(Prediction.confidence >= query.min_confidence)
    if query.max_confidence is not None:
        conditions.append(Prediction.confidence <= query.max_confidence)
    if query.is_unfamiliar is not None:
        conditions.append(_IS_UNFAMILIAR if query.is_unfamiliar else not_(_IS_UNFAMILIAR))
    return conditions


def _to_review(
    row: Prediction,
    external_id: str | None,
    content_path: str | None,
    class_name: str,
    *,
    is_unfamiliar: bool,
) -> ToReview:
    return plain(
        ToReview,
        row,
        external_id=external_id,
        content_path=content_path,
        class_name=class_name,
        rests_on=RestsOn.of(row.metadata_),
        position=ReviewPosition(is_unfamiliar, row.confidence, row.document_id),
    )
