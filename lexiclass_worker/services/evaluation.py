"""Measuring a model on its field's test labels."""

import hashlib
import json
from typing import Any, Final

from loguru import logger

from lexiclass_core import versions
from lexiclass_core.models import Model
from lexiclass_core.schemas import EvaluateFieldModel, EvaluateResult, EvaluationMetrics
from lexiclass_core.versions import Author
from lexiclass_worker.artifacts.transfers import transferring
from lexiclass_worker.errors import NoTestLabels
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.prediction import EvaluateJob, ReportFiles
from lexiclass_worker.repositories import evaluations, labels, model_versions, projects
from lexiclass_worker.repositories.labels import LabelledDocument
from lexiclass_worker.services import gating
from lexiclass_worker.services.gating import Gating
from lexiclass_worker.services.inputs import documents_of, pretrained_directory
from lexiclass_worker.services.known_indexes import KnownIndexes
from lexiclass_worker.services.model_files import expected_pipeline, model_files
from lexiclass_worker.services.reports import (
    FinishedReport,
    publishing_report,
    remove_unkept,
)
from lexiclass_worker.services.room import working_folder
from lexiclass_worker.services.signatures import require_signed
from lexiclass_worker.services.stages import observe

_NAMED_CLASSES: Final = 5


async def evaluate_field_model(task: TaskContext, request: EvaluateFieldModel) -> EvaluateResult:
    """Predict the test documents, compare, and keep the metrics with the model version.

    Raises:
        NotFound: If the project, the field or the model version does not exist.
        NoReadyModel: If there is no model to use.
        NoTestLabels: If the field has none.
        NoDocuments: If no test document can be read.
        WorkerError: What the library failed with.
    """
    async with task.sessions.begin() as session:
        await projects.require_field(session, request.project_id, request.field_id)
        field = await versions.require_field(session, request.field_id)
        model = await model_versions.require_ready_version(
            session, request.field_id, request.model_version
        )
        test_data = await labels.labelled_documents(
            session, request.field_id, is_training_data=False
        )
        training_data = await labels.labelled_documents(
            session, request.field_id, is_training_data=True
        )
        test_ids = [label.document_id for label in test_data]
        columns = await labels.columns_of(session, test_ids, request.slice_by or ())
    if not test_data:
        raise NoTestLabels(
            f"field {request.field_id} has no test labels: label documents with "
            "is_training_data = false first",
            details={"field_id": request.field_id},
        )
    require_signed(task.settings.storage.keys, request.project_id, model)
    task.progress.plan(
        {"load": 5, "predict": 75, "evaluate": 3, "compare": 12, "report": 5},
        units={"predict": "documents"},
    )
    digest = _digest(test_data)
    async with task.sessions() as session:
        gated = await gating.prepare(session, model, digest)
    with working_folder(task) as scratch:
        report = FinishedReport(
            folder=scratch / "report",
            names=ReportFiles.NAMES,
            project_id=request.project_id,
            model=model,
            test_set=digest,
        )
        report.folder.mkdir()
        files = ReportFiles(
            directory=report.folder,
            model_name=f"{field.name}, version {model.version}",
            model_version=model.version,
            test_set_name=f"test labels of {field.name}",
            test_set_digest=digest,
            created_at=task.began_at.isoformat(),
            shows_texts=task.settings.evaluation.example_texts,
        )
        outcome = await _evaluate(
            task,
            request,
            model,
            test_data=test_data,
            training_data=training_data,
            columns=columns,
            gated=gated,
            files=files,
        )
        result = await gating.until_settled(
            lambda: _commit(
                task,
                request,
                model,
                num_labels=len(test_data),
                gated=gated,
                report=report,
                outcome=outcome,
            )
        )
    if result.is_promoted is not None:
        said = "is promoted" if result.is_promoted else "is not promoted: its field's gates refuse"
        logger.info("version {} of field {} {}", model.version, request.field_id, said)
    await remove_unkept(task, report)
    observe(
        "evaluate",
        outcome["seconds"],
        documents=len(test_data),
        refused=outcome["num_skipped"],
        origins=outcome["origins"],
    )
    return result


async def _evaluate(
    task: TaskContext,
    request: EvaluateFieldModel,
    model: Model,
    *,
    test_data: list[LabelledDocument],
    training_data: list[LabelledDocument],
    columns: dict[str, list[str | None]],
    gated: Gating,
    files: ReportFiles,
) -> dict[str, Any]:
    indexes = KnownIndexes(task, request.project_id)
    async with transferring(model_files(task.storage, request, model.version)) as directory:
        return await task.sandbox.run(
            EvaluateJob(
                source=await documents_of(task, request.project_id),
                pretrained_directory=pretrained_directory(task),
                indexes=await indexes.at_hand(),
                documents=[(label.document_id, label.content_path) for label in test_data],
                labels=[label.class_name for label in test_data],
                training_ids=[label.document_id for label in training_data],
                training_labels=[label.class_name for label in training_data],
                columns=columns,
                model_directory=directory,
                manifest_digest=model.manifest_digest,
                expected=expected_pipeline(request),
                batch_size=task.settings.prediction.batch_size,
                gates=gated.inputs,
                report=files,
                memory_bytes=task.sandbox.memory_limit_bytes,
            ),
            on_progress=task.progress.report,
            supervisor=indexes,
        )


async def _commit(
    task: TaskContext,
    request: EvaluateFieldModel,
    model: Model,
    *,
    num_labels: int,
    gated: Gating,
    report: FinishedReport,
    outcome: dict[str, Any],
) -> EvaluateResult:
    metrics = EvaluationMetrics.model_validate(outcome["metrics"])
    num_test_documents = num_labels - outcome["num_skipped"]
    evaluation = metrics.model_dump(mode="json")
    test_set = {"digest": report.test_set, "num_documents": num_test_documents}
    figures = gated.figures(model, outcome["gates"])
    async with task.sessions() as session:
        regression = await evaluations.regression_with(session, model, evaluation, test_set)
        settled = await gating.outcome_of(session, model, figures)
    warnings = warnings_of(metrics, num_empty=outcome["empty"]["num_empty"])
    if regression is not None:
        logger.warning("What serves got worse: {}", regression)
        warnings.append(str(regression))
    if settled.problem is not None:
        warnings.append(settled.problem)
    result = EvaluateResult(
        project_id=request.project_id,
        field_id=request.field_id,
        model_version=model.version,
        num_test_documents=num_test_documents,
        num_skipped=outcome["num_skipped"],
        **outcome["empty"],
        metrics=metrics,
        report_path=task.storage.locate(report.target),
        warnings=warnings,
        gates=settled.judgement,
        is_promoted=settled.is_promoted,
    )
    async with publishing_report(task, report, result) as session:
        if settled.promotes:
            await versions.lock_field(session, request.field_id)
        await evaluations.record_evaluation(
            session,
            model.id,
            metrics.accuracy,
            evaluation,
            test_set=test_set,
            errors=evaluations.EvaluationErrors(**outcome["errors"]),
            gate_figures=figures.model_dump(mode="json"),
        )
        author = Author(f"message {task.message_id}", "after its evaluation")
        await gating.settle(session, model, settled, author)
    return result


def _digest(test_data: list[LabelledDocument]) -> str:
    """SHA-256 of which documents have which true class: equal for evaluations to be compared."""
    pairs = [(label.document_id, label.class_id) for label in test_data]
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()


def warnings_of(metrics: EvaluationMetrics, *, num_empty: int | None) -> list[str]:
    """What makes the figures of an evaluation doubtful, in plain words.

    ``num_empty`` test documents have no token at all; None where that is not known.
    """
    found = (_unseen(metrics), _empty(num_empty), _duplicates(metrics))
    return [warning for warning in found if warning is not None]


def _unseen(metrics: EvaluationMetrics) -> str | None:
    unseen = metrics.unseen_classes
    if unseen is None:
        return None
    named = ", ".join(unseen.classes[:_NAMED_CLASSES])
    more = unseen.num_classes - min(unseen.num_classes, _NAMED_CLASSES)
    return (
        f"{unseen.num_documents} test documents are of {unseen.num_classes} classes that no "
        f"training document has, and count as wrong: {named}"
        + (f" and {more} more" if more else "")
    )


def _empty(num_empty: int | None) -> str | None:
    if not num_empty:
        return None
    return (
        f"{num_empty} test documents hold nothing that the model reads as a word; what it says of "
        "them is what it says of an empty text (empty_document_ids lists them; the parameter "
        "keep_symbols of the tokenizer icu keeps emoji)"
    )


def _duplicates(metrics: EvaluationMetrics) -> str | None:
    duplicates = metrics.duplicates_in_training
    if duplicates is None or not duplicates.count:
        return None
    without = duplicates.accuracy_without
    others = "there are no others" if without is None else f"it is {without:.3f} without them"
    return (
        f"{duplicates.count} of {duplicates.num_compared} test documents are the same as training "
        f"documents, or nearly; the accuracy is {metrics.accuracy:.3f}, {others}"
    )
