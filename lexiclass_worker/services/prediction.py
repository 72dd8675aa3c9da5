"""Predicting a field for documents."""

from collections.abc import AsyncIterator, Mapping, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.db import single_statements
from lexiclass_core.schemas import (
    ModelRequest,
    PredictDocumentChunk,
    PredictFieldDocuments,
    PredictResult,
)
from lexiclass_core.tasks import chunks
from lexiclass_worker.artifacts.transfers import transferring
from lexiclass_worker.errors import NoDocuments
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.prediction import PredictJob
from lexiclass_worker.repositories import (
    documents,
    indexes,
    model_versions,
    predictions,
    projects,
)
from lexiclass_worker.repositories.documents import DocumentRow
from lexiclass_worker.repositories.model_versions import Serving
from lexiclass_worker.services import bulk_prediction
from lexiclass_worker.services.acceptance import accept_from
from lexiclass_worker.services.bulk_prediction import LISTED_MISSING
from lexiclass_worker.services.inputs import documents_of, pretrained_directory
from lexiclass_worker.services.known_indexes import KnownIndexes
from lexiclass_worker.services.model_files import expected_pipeline, model_files
from lexiclass_worker.services.publication import publication
from lexiclass_worker.services.room import working_folder
from lexiclass_worker.services.signatures import require_signed
from lexiclass_worker.services.stages import observe


async def predict_field_documents(
    task: TaskContext, request: PredictFieldDocuments
) -> PredictResult:
    """Predict, keep the history of this message, make its predictions the latest.

    More documents than a chunk are left to other tasks, whose results come together when all of
    them have ended. A second run of the same message writes the same history and the same rows.

    Raises:
        NotFound: If the project, the field or the model version does not exist.
        NoReadyModel: If there is no model to use.
        NoCertifiedThreshold: If no evaluation says from where on predictions are to be accepted.
        NoDocuments: If none of the documents exists in the project or can be read.
        ModelCorrupt: If the version's files are gone, or predict classes the field has lost.
        ChunksFailed: If some of the chunks failed for good.
        WorkerError: What the library failed with.
    """
    if task.num_chunks is not None:
        return await bulk_prediction.collect(task, request)
    async with single_statements(task.sessions) as session:
        use = await _find_model(session, request)
        threshold = await accept_from(session, request.accept_at, use.field_id, use.version)
        parts = await bulk_prediction.partition(session, task, request)
        if parts:
            rows = []
        elif request.document_ids is None:
            rows = await documents.documents_between(session, request.project_id)
        else:
            rows = await documents.find_documents(session, request.project_id, request.document_ids)
    if parts:
        await bulk_prediction.fan_out(task, request, use.version, parts, accept_from=threshold)
    wanted = {row.id for row in rows} if request.document_ids is None else set(request.document_ids)
    if not rows:
        raise NoDocuments(
            _nothing_to_predict(request),
            details={"missing_document_ids": sorted(wanted)[:LISTED_MISSING]},
        )
    work = _Work(rows=rows, wanted=wanted, accept_from=threshold, predicted_at=task.began_at)
    async with _predicted(task, request, use, work) as predicted:
        if not predicted.result.predictions_created:
            raise NoDocuments(
                f"none of the {len(rows)} documents could be read, the first because: "
                f"{predicted.first_reason}",
                details={"missing_document_ids": predicted.result.missing_document_ids},
            )
        await _write(task, predicted)
    return predicted.result


async def predict_document_chunk(task: TaskContext, request: PredictDocumentChunk) -> PredictResult:
    """Predict one chunk of a large prediction; one without a document that can be read is done.

    Raises:
        NotFound: If the project, the field or the model version does not exist any more.
        NoReadyModel: If the version is not ready.
        ModelCorrupt: If the version's files are gone, or predict classes the field has lost.
        WorkerError: What the library failed with.
    """
    asked = request.documents
    async with single_statements(task.sessions) as session:
        use = await _find_model(session, request)
        rows = await documents.documents_asked_for(session, request.project_id, asked)
        began_at = None
        if task.lease is not None:
            began_at = await chunks.began_at(session, task.lease.task_id)
    wanted = set(asked) if isinstance(asked, list) else {row.id for row in rows}
    work = _Work(
        rows=rows,
        wanted=wanted,
        accept_from=request.accept_from,
        predicted_at=began_at or task.began_at,
    )
    if not rows:
        nothing = {"num_empty": 0, "empty_document_ids": []}
        accepted = None if request.accept_from is None else 0
        return _result(
            request, use.version, work, missing=wanted, empty=nothing, num_accepted=accepted
        )
    async with _predicted(task, request, use, work) as predicted:
        if predicted.result.predictions_created:
            await _write(task, predicted)
    return predicted.result


async def _find_model(session: AsyncSession, request: ModelRequest) -> Serving:
    project_id, field_id = request.project_id, request.field_id
    if request.model_version is None:
        serving = await model_versions.find_serving(session, project_id, field_id)
        if serving is not None:
            return serving
    await projects.require_field(session, project_id, field_id)
    model = await model_versions.require_ready_version(session, field_id, request.model_version)
    class_ids = await projects.class_ids(session, field_id)
    kept = await indexes.kept(session, project_id)
    return Serving(field_id, model.version, class_ids, model.manifest_digest, model.signature, kept)


def _nothing_to_predict(request: PredictFieldDocuments) -> str:
    if request.document_ids is None:
        return f"project {request.project_id} has no documents to predict"
    if not request.document_ids:
        return "document_ids is empty: name documents, or give null for all of the project"
    asked = len(set(request.document_ids))
    return f"project {request.project_id} has none of the {asked} documents asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be predicted.

    Attributes:
        rows: Documents that are there.
        wanted: Those that were asked for.
        accept_from: The lowest confidence of a prediction that is accepted; None to mark none.
        predicted_at: When the task began, that of a chunk with its parent.
    """

    rows: list[DocumentRow]
    wanted: Set[int]
    accept_from: float | None
    predicted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Predicted:
    """What the child made of the documents.

    Attributes:
        first_reason: Why the first of the documents that could not be read could not.
        history: File with a JSON object a line for each prediction.
        rows: File with a row for each prediction.
        predicted_at: When the task began, that of a chunk with its parent.
    """

    result: PredictResult
    first_reason: str
    history: Path
    rows: Path
    predicted_at: datetime


@asynccontextmanager
async def _predicted(
    task: TaskContext, request: ModelRequest, use: Serving, work: _Work
) -> AsyncIterator[_Predicted]:
    """Predict; the files are there for the time of the ``with`` block, after which it counts."""
    task.progress.plan({"load": 5, "predict": 85, "write": 10}, units={"predict": "documents"})
    with working_folder(task) as scratch:
        outcome = await _predict(task, request, use, work, scratch)
        unreadable = {int(key): reason for key, reason in outcome["unreadable"]}
        missing = (work.wanted - {row.id for row in work.rows}) | unreadable.keys()
        result = _result(
            request,
            use.version,
            work,
            missing=missing,
            empty=outcome["empty"],
            num_accepted=outcome["num_accepted"],
        )
        async with single_statements(task.sessions) as session:
            replaced = await predictions.count_replaced(
                session,
                field_id=request.field_id,
                document_ids=work.wanted - missing,
                model_version=use.version,
                predicted_at=work.predicted_at,
            )
        yield _Predicted(
            result=result.model_copy(update={"replaced": replaced}),
            first_reason=next(iter(unreadable.values()), ""),
            history=scratch / "history.jsonl",
            rows=scratch / "rows.csv",
            predicted_at=work.predicted_at,
        )
    observe(
        "predict",
        outcome["seconds"],
        documents=len(work.rows),
        refused=len(unreadable),
        origins=outcome["origins"],
    )


def _result(
    request: ModelRequest,
    version: int,
    work: _Work,
    *,
    missing: Set[int],
    empty: Mapping[str, Any],
    num_accepted: int | None,
) -> PredictResult:
    created = len(work.wanted) - len(missing)
    return PredictResult(
        project_id=request.project_id,
        field_id=request.field_id,
        model_version=version,
        predictions_created=created,
        total_documents=len(work.wanted),
        num_missing=len(missing),
        missing_document_ids=sorted(missing)[:LISTED_MISSING],
        accept_from=work.accept_from,
        num_accepted=num_accepted,
        num_to_review=None if num_accepted is None else created - num_accepted,
        **empty,
    )


async def _predict(
    task: TaskContext, request: ModelRequest, use: Serving, work: _Work, scratch: Path
) -> dict[str, Any]:
    require_signed(task.settings.storage.keys, request.project_id, use)
    known = KnownIndexes(task, request.project_id)
    async with transferring(model_files(task.storage, request, use.version)) as directory:
        return await task.sandbox.run(
            PredictJob(
                source=await documents_of(task, request.project_id),
                pretrained_directory=pretrained_directory(task),
                indexes=known.as_kept(use.indexes),
                documents=[(row.id, row.content_path) for row in work.rows],
                model_directory=directory,
                model_version=use.version,
                manifest_digest=use.manifest_digest,
                expected=expected_pipeline(request),
                class_ids=sorted(use.class_ids),
                batch_size=task.settings.prediction.batch_size,
                history=scratch / "history.jsonl",
                rows=scratch / "rows.csv",
                accept_from=work.accept_from,
                memory_bytes=task.sandbox.memory_limit_bytes,
            ),
            on_progress=task.progress.report,
            supervisor=known,
        )


async def _write(task: TaskContext, predicted: _Predicted) -> None:
    """The history with the rows: rows without it would be predictions nobody can trace."""
    result = predicted.result
    history = layout.predictions_path(
        result.project_id, result.field_id, result.model_version, task.message_id
    )
    async with publication(task, predicted.history, history, result) as session:
        await predictions.upsert_from_csv(
            session,
            predicted.rows,
            project_id=result.project_id,
            field_id=result.field_id,
            model_version=result.model_version,
            predicted_at=predicted.predicted_at,
        )
