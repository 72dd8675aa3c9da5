"""Labels that look wrong, as a training finds them."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ARRAY, BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_worker.jobs.suspects import FoundSuspect


async def replace_open(
    session: AsyncSession,
    field_id: int,
    model_version: int,
    found: Sequence[FoundSuspect],
    class_ids: Mapping[str, int],
) -> None:
    """Make what a training has found the open suspects of its field, in place of those before.

    A label that was changed or removed since the training read it is passed over, as is one that
    somebody says is right. One that somebody says is wrong stays so.

    Suspects that name a class which has no id are passed over, too.
    """
    named = [each for each in found if each.label in class_ids and each.suggested in class_ids]
    # Files may name a document twice, and a statement writes no row twice.
    known = list({(each.document, each.label): each for each in named}.values())
    known.sort(key=lambda each: each.document)
    of_documents = {"field_id": field_id, "documents": [each.document for each in known]}
    await session.execute(_LOCK, of_documents)
    await session.execute(_CLEAR, {"field_id": field_id})
    if not known:
        return
    await session.execute(
        _WRITE,
        {
            "field_id": field_id,
            "version": model_version,
            "suspects": [
                {
                    "document_id": each.document,
                    "class_id": class_ids[each.label],
                    "suggested_class_id": class_ids[each.suggested],
                    "score": each.score,
                    "reason": {
                        "found_by": each.reasons,
                        "label_probability": each.label_probability,
                        "suggested_probability": each.suggested_probability,
                        "num_neighbours": each.num_neighbours,
                        **({} if each.terms is None else {"terms": each.terms.model_dump()}),
                    },
                    "neighbours": [neighbour.document for neighbour in each.neighbours],
                }
                for each in known
            ],
        },
    )


# The labels first, as whoever changes or removes one has it before its suspect, and in the order of
# the documents, as labels are written: two that write the same rows wait for each other.
_LOCK: Final = text(
    """
    SELECT FROM document_label
    WHERE field_id = :field_id AND (document_id = ANY(:documents) OR document_id IN (
        SELECT document_id FROM label_suspect WHERE field_id = :field_id AND status = 'open'
    ))
    ORDER BY document_id FOR SHARE
    """
).bindparams(bindparam("documents", type_=ARRAY(BigInteger)))
_CLEAR: Final = text(
    """
    WITH locked AS (
        SELECT id FROM label_suspect WHERE field_id = :field_id AND status = 'open'
        ORDER BY document_id, id FOR UPDATE
    )
    DELETE FROM label_suspect USING locked WHERE label_suspect.id = locked.id
    """
)
_WRITE: Final = text(
    """
    INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, score, reason,
        neighbours, model_version)
    SELECT found.document_id, known.field_id, found.class_id, found.suggested_class_id, found.score,
        found.reason, ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(found.neighbours)),
        :version
    FROM jsonb_to_recordset(:suspects) AS found (document_id bigint, class_id bigint,
        suggested_class_id bigint, score double precision, reason jsonb, neighbours jsonb)
    JOIN document_label AS known ON known.document_id = found.document_id
        AND known.field_id = :field_id AND known.class_id = found.class_id
    ORDER BY found.document_id
    ON CONFLICT (document_id, field_id, class_id) DO UPDATE SET
        suggested_class_id = excluded.suggested_class_id, score = excluded.score,
        reason = excluded.reason, neighbours = excluded.neighbours,
        model_version = excluded.model_version,
        status = CASE WHEN label_suspect.status = 'corrected' THEN 'open'
            ELSE label_suspect.status END
    WHERE label_suspect.status <> 'dismissed'
    """
).bindparams(bindparam("suspects", type_=JSONB))
