"""Training the next version of a field's model."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lexiclass_core import layout
from lexiclass_core.models import Model, ModelStatus, ProjectModelStatus
from lexiclass_core.schemas import TrainFieldModel, TrainMetrics, TrainResult
from lexiclass_core.tasks.errors import LeaseLost
from lexiclass_worker.errors import (
    NotEnoughDocuments,
    NoTrainingLabels,
    translate,
    without_secrets,
)
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.suspects import FOUND_SUSPECTS, FoundSuspect
from lexiclass_worker.jobs.training import TrainJob, ValidateJob
from lexiclass_worker.repositories import labels, model_versions, projects
from lexiclass_worker.repositories.labels import LabelledDocument
from lexiclass_worker.repositories.suspects import replace_open
from lexiclass_worker.services.inputs import (
    documents_of,
    locale_of,
    num_processes,
    pretrained_directory,
)
from lexiclass_worker.services.known_indexes import KnownIndexes
from lexiclass_worker.services.model_files import require_complete, verify_staged
from lexiclass_worker.services.publication import publishing, staging
from lexiclass_worker.services.room import working_folder
from lexiclass_worker.services.signatures import model_content, signed
from lexiclass_worker.services.stages import observe

# Shares of the time of a small training; those of a large one go mostly to the classifier.
_STAGES = {
    "read": 15,
    "learn tokens": 5,
    "tokenize": 20,
    "features": 10,
    "classifier": 45,
    "save": 5,
}
_UNITS = {"read": "documents", "tokenize": "documents"}

# Below it the accuracy that confidences are held against is itself only known to 0.05 or worse.
_FEW_CALIBRATION_DOCUMENTS = 100


async def train_field_model(task: TaskContext, request: TrainFieldModel) -> TrainResult:
    """Train on the field's training labels and publish the model as the next version.

    A second run of the same message trains the same version again, or returns it if it is ready.

    Raises:
        NotFound: If the project or the field does not exist.
        NoTrainingLabels: If the field has none.
        NotEnoughDocuments: If there are fewer than two documents or two classes.
        WorkerError: What the library failed with.
    """
    async with task.sessions.begin() as session:
        await projects.require_field(session, request.project_id, request.field_id)
        training_data = await labels.labelled_documents(
            session, request.field_id, is_training_data=True
        )
    _require_enough(training_data, request.field_id)
    # A request that cannot succeed uses up no version number.
    checked = await task.sandbox.run(ValidateJob(pipeline=_pipeline(task, request)))
    task.progress.plan(_STAGES, units={**_UNITS, "classifier": checked["training_unit"]})
    async with task.commit() as session:
        model = await model_versions.begin_version(session, request.field_id, task.message_id)
        if model.status == ModelStatus.READY:
            metrics = TrainMetrics.model_validate(model.metrics)
            return await _result(task, request, model, metrics)
        await projects.set_model_status(session, request.project_id, ProjectModelStatus.TRAINING)
    async with _failing_version(task, request, model):
        expected_bytes = await _size_of_serving(task, request)
        with working_folder(task, expected_bytes=expected_bytes) as scratch:
            trained = await _train(task, request, training_data, model, scratch / "model")
            metrics, suspects, digest = trained
            result = await _result(task, request, model, metrics)
            class_ids = {label.class_name: label.class_id for label in training_data}
            found = Suspects(suspects, class_ids)
            written = Written(scratch / "model", digest)
            await _publish(task, request, model, result, found, written)
    return result


async def _size_of_serving(task: TaskContext, request: TrainFieldModel) -> int:
    """Bytes of the version that serves; 0 if none does. The next one is seldom much smaller."""
    async with task.sessions() as session:
        serving = await model_versions.find_serving(session, request.project_id, request.field_id)
    if serving is None:
        return 0
    directory = layout.model_directory(request.project_id, request.field_id, serving.version)
    return sum((await asyncio.to_thread(task.storage.file_sizes, directory)).values()) // 2


class Suspects(NamedTuple):
    """Labels that look wrong, and the ids of the classes they name."""

    found: list[FoundSuspect]
    class_ids: dict[str, int]


class Written(NamedTuple):
    """A model where its child has written it, and the digest of its manifest."""

    directory: Path
    manifest_digest: str


async def _publish(
    task: TaskContext,
    request: TrainFieldModel,
    model: Model,
    result: TrainResult,
    suspects: Suspects,
    written: Written,
) -> None:
    """Make the version ready, once its files are verified and in their place."""
    target = layout.model_directory(request.project_id, request.field_id, model.version)
    async with staging(task, written.directory, target) as staged:
        files = await verify_staged(task, staged, written.manifest_digest)
        summary = files["summary"]
        content = model_content(
            request.project_id, request.field_id, model.version, summary["manifest_digest"]
        )
        if (signature := signed(task.settings.storage.keys, content)) is not None:
            summary["signature"] = signature
        async with publishing(task, staged, result) as session:
            await require_complete(task, target, files["sizes"])
            trained_at = await model_versions.complete_version(
                session, model.id, result.metrics.model_dump(), summary
            )
            await replace_open(session, request.field_id, model.version, *suspects)
            await projects.set_model_status(
                session, request.project_id, ProjectModelStatus.READY, trained_at=trained_at
            )


def _require_enough(training_data: list[LabelledDocument], field_id: int) -> None:
    if not training_data:
        raise NoTrainingLabels(
            f"field {field_id} has no training labels: label documents with "
            "is_training_data = true first",
            details={"field_id": field_id},
        )
    classes = sorted({label.class_name for label in training_data})
    if len(training_data) < 2 or len(classes) < 2:
        raise NotEnoughDocuments(
            f"field {field_id} has {len(training_data)} training labels in {len(classes)} "
            f"classes ({', '.join(classes[:5])}): at least 2 documents and 2 classes are needed",
            details={"num_documents": len(training_data), "num_classes": len(classes)},
        )


@asynccontextmanager
async def _failing_version(
    task: TaskContext, request: TrainFieldModel, model: Model
) -> AsyncIterator[None]:
    """Mark the version failed, with the reason, if what happens inside does not succeed."""
    try:
        yield
    except LeaseLost:
        # The version is the other worker's now.
        raise
    except BaseException as error:
        async with task.commit() as session:
            failure = translate(task.reason(error)).as_task_error()
            described = without_secrets(failure, task.settings.redact)
            if await model_versions.fail_version(session, model.id, described.model_dump()):
                # Earlier versions go on serving.
                is_ready = await model_versions.has_ready_version(session, request.project_id)
                status = ProjectModelStatus.READY if is_ready else ProjectModelStatus.FAILED
                await projects.set_model_status(session, request.project_id, status)
        raise


async def _train(
    task: TaskContext,
    request: TrainFieldModel,
    training_data: list[LabelledDocument],
    model: Model,
    directory: Path,
) -> tuple[TrainMetrics, list[FoundSuspect], str]:
    indexes = KnownIndexes(task, request.project_id)
    outcome = await task.sandbox.run(
        TrainJob(
            source=await documents_of(task, request.project_id),
            pretrained_directory=pretrained_directory(task),
            indexes=await indexes.at_hand(),
            num_processes=num_processes(task),
            documents=[(label.document_id, label.content_path) for label in training_data],
            labels=[label.class_name for label in training_data],
            class_ids={label.class_name: label.class_id for label in training_data},
            pipeline=_pipeline(task, request),
            directory=directory,
            metadata={
                "project_id": request.project_id,
                "field_id": request.field_id,
                "model_version": model.version,
                "message_id": task.message_id,
            },
            memory_bytes=task.sandbox.memory_limit_bytes,
        ),
        on_progress=task.progress.report,
        supervisor=indexes,
    )
    metrics = outcome["metrics"]
    observe(
        "train",
        metrics["seconds"],
        documents=len(training_data),
        refused=metrics["num_skipped"],
        origins=outcome["origins"],
    )
    described = TrainMetrics(
        tokenizer=request.tokenizer,
        feature_extractor=request.feature_extractor,
        classifier=request.classifier,
        **metrics,
    )
    suspects = FOUND_SUSPECTS.validate_python(outcome["suspects"])
    return described, suspects, str(outcome["manifest_digest"])


def _pipeline(task: TaskContext, request: TrainFieldModel) -> dict[str, Any]:
    return {
        "tokenizer": request.tokenizer,
        "feature_extractor": request.feature_extractor,
        "classifier": request.classifier,
        "locale": locale_of(task, request),
        "tokenizer_params": request.tokenizer_params,
        "feature_extractor_params": request.feature_extractor_params,
        "classifier_params": request.classifier_params,
        "seed": task.settings.lexiclass_random_seed,
    }


async def _result(
    task: TaskContext, request: TrainFieldModel, model: Model, metrics: TrainMetrics
) -> TrainResult:
    async with task.sessions() as session:
        is_serving, replaced = await model_versions.serving_after(session, model)
    return TrainResult(
        project_id=request.project_id,
        field_id=request.field_id,
        model_id=model.id,
        model_version=model.version,
        is_serving=is_serving,
        replaced_version=replaced,
        metrics=metrics,
        warnings=warnings_of(metrics, request.classifier_params),
    )


def warnings_of(metrics: TrainMetrics, parameters: Mapping[str, Any]) -> list[str]:
    """What makes a model, or its confidences, less than they could be, in plain words."""
    found = []
    calibrated = metrics.num_calibration_documents
    if calibrated is not None and calibrated < _FEW_CALIBRATION_DOCUMENTS:
        found.append(
            f"confidences were fitted on {calibrated} different documents and are rough: with "
            f"{_FEW_CALIBRATION_DOCUMENTS} they are off by about 0.05, with more labels by less"
        )
    if parameters.get("class_weight") is not None:
        found.append(
            "'class_weight' moves which class is chosen: confidences are right over all documents "
            "together, too high for a class that it favours and too low for others"
        )
    if (metrics.feature_extractor, metrics.classifier) == ("bow", "svm"):
        found.append(
            "feature_extractor 'bow' is the default for the sake of other programs; 'tfidf' was "
            "more accurate on every public set measured, by 0.2 to 7.5 points"
        )
    return found
