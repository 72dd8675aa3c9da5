"""Labels that look wrong: listed, and what people say of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core.db.values import object_of
from lexiclass_core.models import Document, DocumentLabel, FieldClass, LabelSuspect
from lexiclass_core.models.plain import plain
from lexiclass_core.numbers import is_share, require_limit
from lexiclass_core.statuses import SuspectStatus


class SuspectNeighbour(NamedTuple):
    """A document that is like a suspect, and its label as it is now."""

    document_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectLabel:
    """A label that looks wrong; see :class:`~lexiclass_core.models.LabelSuspect`.

    Attributes:
        label: The class it is labelled with; of a corrected one, was.
        found_by: ``confident_learning``, ``equal_text``, ``near_duplicate``.
        label_terms: Terms of the document that speak for its class, the strongest first; none
            where the model that was trained could not tell.
        suggested_terms: Terms that speak for the better class, likewise.
        neighbours: Some of the documents that are alike and labelled otherwise.
    """

    document_id: int
    content_path: str | None
    external_id: str | None
    label: str
    class_id: int
    suggested: str
    suggested_class_id: int
    score: float
    found_by: Sequence[str]
    label_probability: float | None
    suggested_probability: float | None
    label_terms: Sequence[str]
    suggested_terms: Sequence[str]
    neighbours: Sequence[SuspectNeighbour]
    model_version: int
    status: SuspectStatus
    created_at: datetime


async def list_suspects(
    session: AsyncSession,
    project_id: int,
    field_id: int,
    *,
    status: SuspectStatus | None = SuspectStatus.OPEN,
    limit: int = 50,
) -> list[SuspectLabel]:
    """The labels of a field that look wrong, the most suspect first.

    Of a field of another project there are none. ``status`` None is for all.

    Raises:
        ValueError: If the limit is none.
    """
    require_limit(limit)
    given, better = aliased(FieldClass), aliased(FieldClass)
    found = (
        select(LabelSuspect, Document.content_path, Document.external_id, given.name, better.name)
        .join(Document, Document.id == LabelSuspect.document_id)
        .join(given, given.id == LabelSuspect.class_id)
        .join(better, better.id == LabelSuspect.suggested_class_id)
        .where(LabelSuspect.field_id == field_id, Document.project_id == project_id)
        .order_by(LabelSuspect.score.desc(), LabelSuspect.document_id, LabelSuspect.id)
        .limit(limit)
    )
    if status is not None:
        found = found.where(LabelSuspect.status == status)
    rows = (await session.execute(found)).all()
    neighbours = {number for suspect, *_ in rows for number in suspect.neighbours}
    labels = await _labels(session, field_id, sorted(neighbours))
    return [_suspect(*row, labels) for row in rows]


async def judge_suspect(
    session: AsyncSession, project_id: int, field_id: int, document_id: int, status: SuspectStatus
) -> bool:
    """Say what is thought of a label that looks wrong. Returns whether it does.

    It is ``dismissed``, ``confirmed``, or ``open`` again. What is corrected is the label, by
    :func:`set_label`.
    """
    judged = await session.execute(
        _JUDGE,
        {
            "status": status,
            "project_id": project_id,
            "field_id": field_id,
            "document_id": document_id,
        },
    )
    return judged.first() is not None


async def _labels(
    session: AsyncSession, field_id: int, document_ids: Sequence[int]
) -> dict[int, str]:
    wanted = func.unnest(bindparam("ids", list(document_ids), type_=ARRAY(BigInteger)))
    rows = await session.execute(
        select(DocumentLabel.document_id, FieldClass.name)
        .join(FieldClass, FieldClass.id == DocumentLabel.class_id)
        .where(DocumentLabel.field_id == field_id, DocumentLabel.document_id.in_(select(wanted)))
    )
    return {row.document_id: row.name for row in rows}


def _suspect(
    row: LabelSuspect,
    content_path: str | None,
    external_id: str | None,
    label: str,
    suggested: str,
    labels: dict[int, str],
) -> SuspectLabel:
    # Other programs may have written anything.
    reason = object_of(row.reason)
    terms = object_of(reason.get("terms"))
    there = [number for number in row.neighbours if number in labels]
    return plain(
        SuspectLabel,
        row,
        content_path=content_path,
        external_id=external_id,
        label=label,
        suggested=suggested,
        found_by=_strings(reason.get("found_by")),
        label_probability=_probability(reason.get("label_probability")),
        suggested_probability=_probability(reason.get("suggested_probability")),
        label_terms=_strings(terms.get("given")),
        suggested_terms=_strings(terms.get("suggested")),
        neighbours=[SuspectNeighbour(number, labels[number]) for number in there],
        status=SuspectStatus(row.status),
    )


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _probability(value: object) -> float | None:
    return float(value) if is_share(value) else None


# With a lock on the label, which may be corrected at that moment.
_JUDGE: Final = text(
    """
    WITH label AS (
        SELECT document_label.* FROM document_label
        JOIN document ON document.id = document_label.document_id
        WHERE document_label.document_id = :document_id AND document_label.field_id = :field_id
            AND document.project_id = :project_id
        FOR SHARE OF document_label
    )
    UPDATE label_suspect SET status = :status FROM label
    WHERE label_suspect.document_id = label.document_id AND label_suspect.field_id = label.field_id
        AND label_suspect.class_id = label.class_id
    RETURNING label_suspect.id
    """
)
