"""Predicting a field for documents."""

from pathlib import Path
from typing import Any

from lexiclass_core import layout
from lexiclass_core.models import Model
from lexiclass_core.schemas import PredictFieldDocuments, PredictResult
from lexiclass_worker import sandbox
from lexiclass_worker.errors import NoDocuments
from lexiclass_worker.ml.jobs import PredictJob
from lexiclass_worker.repositories import documents, models, predictions, projects
from lexiclass_worker.repositories.documents import DocumentRow
from lexiclass_worker.services.model_files import expected_pipeline, model_files
from lexiclass_worker.services.publication import publication
from lexiclass_worker.services.sources import document_source, indexes_at_hand, pretrained_directory
from lexiclass_worker.services.stages import observe
from lexiclass_worker.services.transfers import transferring
from lexiclass_worker.tasks.context import TaskContext

_LISTED_MISSING = 100


async def predict_field_documents(
    task: TaskContext, request: PredictFieldDocuments
) -> PredictResult:
    """Predict, keep the history of this message, make its predictions the latest.

    A second run of the same message writes the same history and the same rows.

    Raises:
        NotFound: If the project, the field or the model version does not exist.
        NoReadyModel: If there is no model to use.
        NoDocuments: If none of the documents exists in the project or can be read.
        ModelCorrupt: If the version's files are gone, or predict classes the field has lost.
        WorkerError: What the library failed with.
    """
    async with task.sessions.begin() as session:
        await projects.require_field(session, request.project_id, request.field_id)
        model = await models.require_ready_version(session, request.field_id, request.model_version)
        class_ids = await projects.class_ids(session, request.field_id)
        if request.document_ids is None:
            rows = await documents.list_documents(session, request.project_id)
        else:
            rows = await documents.find_documents(session, request.project_id, request.document_ids)
    wanted = {row.id for row in rows} if request.document_ids is None else set(request.document_ids)
    if not rows:
        raise NoDocuments(
            _nothing_to_predict(request),
            details={"missing_document_ids": sorted(wanted)[:_LISTED_MISSING]},
        )
    task.progress.plan({"load": 5, "predict": 85, "write": 10})
    with task.storage.scratch() as scratch:
        outcome = await _predict(task, request, model, rows, class_ids, scratch)
        unreadable = {int(key): reason for key, reason in outcome["unreadable"]}
        missing = sorted((wanted - {row.id for row in rows}) | unreadable.keys())
        if len(unreadable) == len(rows):
            raise NoDocuments(
                f"none of the {len(rows)} documents could be read, the first because: "
                f"{next(iter(unreadable.values()))}",
                details={"missing_document_ids": missing[:_LISTED_MISSING]},
            )
        result = PredictResult(
            project_id=request.project_id,
            field_id=request.field_id,
            model_version=model.version,
            predictions_created=len(rows) - len(unreadable),
            total_documents=len(wanted),
            num_missing=len(missing),
            missing_document_ids=missing[:_LISTED_MISSING],
        )
        await _write(task, request, result, scratch)
    observe("predict", outcome["seconds"], documents=len(rows), origins=outcome["origins"])
    return result


def _nothing_to_predict(request: PredictFieldDocuments) -> str:
    if request.document_ids is None:
        return f"project {request.project_id} has no documents to predict"
    if not request.document_ids:
        return "document_ids is empty: name documents, or give null for all of the project"
    asked = len(set(request.document_ids))
    return f"project {request.project_id} has none of the {asked} documents asked for"


async def _predict(
    task: TaskContext,
    request: PredictFieldDocuments,
    model: Model,
    rows: list[DocumentRow],
    class_ids: set[int],
    scratch: Path,
) -> dict[str, Any]:
    async with transferring(model_files(task, request, model)) as directory:
        return await sandbox.run(
            PredictJob(
                source=document_source(task, request.project_id),
                pretrained_directory=pretrained_directory(task),
                indexes=indexes_at_hand(task, request.project_id),
                documents=[(row.id, row.content_path) for row in rows],
                model_directory=directory,
                model_version=model.version,
                expected=expected_pipeline(request),
                class_ids=sorted(class_ids),
                batch_size=task.settings.prediction.batch_size,
                history=scratch / "history.jsonl",
                rows=scratch / "rows.csv",
            ),
            on_progress=task.progress.report,
        )


async def _write(
    task: TaskContext, request: PredictFieldDocuments, result: PredictResult, scratch: Path
) -> None:
    """The history with the rows: rows without it would be predictions nobody can trace."""
    history = layout.predictions_path(
        request.project_id, request.field_id, result.model_version, task.message_id
    )
    async with publication(task, scratch / "history.jsonl", history, result) as session:
        await predictions.upsert_from_csv(
            session,
            scratch / "rows.csv",
            project_id=request.project_id,
            field_id=request.field_id,
            model_version=result.model_version,
        )
