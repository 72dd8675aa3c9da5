"""Comparing documents of an index, in the sandbox."""

from typing import Any

from lexiclass import DocumentIndex, InvalidParameters
from lexiclass_worker.jobs.similarity import SimilarJob
from lexiclass_worker.jobs.supervision import Supervision
from lexiclass_worker.ml import opened_indexes
from lexiclass_worker.ml.index import open_tokens, token_index_name


def find_similar(job: SimilarJob, report: Supervision) -> dict[str, Any]:
    """Find what is like a document, as it was when it was indexed.

    Returns:
        ``similar``, pairs of a document and its cosine; or ``why_none``, why it cannot be told.

    Raises:
        LexiClassError: If the index is damaged, or there is no such tokenizer.
    """
    name = token_index_name(job.tokenizer, job.locale, job.tokenizer_params)
    location = f"{job.indexes.location}/{name}"
    index = open_tokens(
        job.indexes,
        name,
        lambda path: opened_indexes.keeper.open(path, DocumentIndex.open, location=location),
        report,
    )
    if index is None:
        return {"why_none": f"the project has no index {name!r}: index its documents first"}
    try:
        found = index.similar(job.document_id, job.limit, model_directory=job.pretrained_directory)
    except InvalidParameters:
        return {"why_none": "the document is not in the index: index the project again"}
    return {"similar": [[neighbour.id, neighbour.similarity] for neighbour in found]}
