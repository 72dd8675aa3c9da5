"""A large prediction: how it is spread over chunks, and what they come to together."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NoReturn

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.schemas import (
    DocumentRange,
    PredictDocumentChunk,
    PredictFieldDocuments,
    PredictResult,
)
from lexiclass_worker.errors import NoDocuments
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.repositories import documents
from lexiclass_worker.services.chunk_outcomes import Results, results_of_chunks

LISTED_MISSING: Final = 100
"""Missing documents that a result lists; it counts all."""

Part = list[int] | DocumentRange


async def partition(
    session: AsyncSession, task: TaskContext, request: PredictFieldDocuments
) -> Sequence[Part]:
    """The chunks of a prediction, all of a size, by rising document id; none if one task will do.

    That of a script, whose task has no row, is never spread.
    """
    size, asked = task.settings.prediction.chunk_size, request.document_ids
    if task.lease is None or (asked is not None and len(asked) <= size):
        return ()
    if asked is None:
        parts = math.ceil(await documents.count(session, request.project_id) / size)
        if parts <= 1:
            return ()
        ranges = await documents.ranges(session, request.project_id, parts)
        return [DocumentRange(first=first, last=last) for first, last in ranges]
    ids = sorted(set(asked))
    parts = math.ceil(len(ids) / size)
    bounds = [len(ids) * part // parts for part in range(parts + 1)]
    return [ids[begin:end] for begin, end in pairwise(bounds)] if parts > 1 else ()


async def fan_out(
    task: TaskContext,
    request: PredictFieldDocuments,
    model_version: int,
    parts: Sequence[Part],
    *,
    accept_from: float | None,
) -> NoReturn:
    """Leave each part to a task of its own, all with one model version and one threshold.

    Raises:
        FanOut: Always, if nothing else.
        UnsafeNameError: If the message id cannot name a file, as those of its chunks have to.
    """
    layout.predictions_path(request.project_id, request.field_id, model_version, task.message_id)
    given: dict[str, Any] = {
        name: value
        for name in ("tokenizer", "feature_extractor", "locale")
        if (value := getattr(request, name)) is not None
    }
    if accept_from is not None:
        given["accept_from"] = accept_from
    await task.fan_out(
        [
            PredictDocumentChunk(
                project_id=request.project_id,
                field_id=request.field_id,
                model_version=model_version,
                documents=part,
                **given,
            )
            for part in parts
        ]
    )


async def collect(task: TaskContext, request: PredictFieldDocuments) -> PredictResult:
    """What the chunks of a task came to together.

    Raises:
        ChunksFailed: If one failed or was cancelled; the others' predictions stay.
        InternalError: If rows of chunks are gone.
        NoDocuments: If none of the documents exists in the project or can be read.
    """
    found = await results_of_chunks(task, _kept)
    results = [PredictResult.model_validate(each) for each in found]
    # Chunks are in the order of their documents, and so are the first that are missing.
    missing = [document for result in results for document in result.missing_document_ids]
    empty = [document for result in results for document in result.empty_document_ids]
    replaced: Counter[int] = Counter()
    for result in results:
        replaced.update(result.replaced)
    result = PredictResult(
        project_id=request.project_id,
        field_id=request.field_id,
        model_version=results[0].model_version,
        predictions_created=sum(result.predictions_created for result in results),
        total_documents=sum(result.total_documents for result in results),
        num_missing=sum(result.num_missing for result in results),
        missing_document_ids=missing[:LISTED_MISSING],
        num_empty=_sum([result.num_empty for result in results]),
        empty_document_ids=empty[:LISTED_MISSING],
        replaced=dict(sorted(replaced.items())),
        accept_from=results[0].accept_from,
        num_accepted=_sum([result.num_accepted for result in results]),
        num_to_review=_sum([result.num_to_review for result in results]),
    )
    if not result.predictions_created:
        raise NoDocuments(
            f"none of the {result.total_documents} documents exists in project "
            f"{request.project_id} and can be read",
            details={"missing_document_ids": result.missing_document_ids},
        )
    return result


def _sum(counts: Sequence[int | None]) -> int | None:
    """None if any of them is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _kept(results: Results) -> tuple[str, dict[str, Any]]:
    created = sum(each["predictions_created"] for each in results)
    words = f"the others made {created} predictions, which are kept"
    return words, {"predictions_created": created}
