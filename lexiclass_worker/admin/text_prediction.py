"""Predicting a text that is in no project; nothing is stored."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lexiclass_core.schemas import ModelRequest
from lexiclass_worker.admin.predictions import Surroundings
from lexiclass_worker.config import Settings
from lexiclass_worker.ml.models import load_model
from lexiclass_worker.repositories import models, projects
from lexiclass_worker.services.library_errors import library_errors
from lexiclass_worker.services.model_files import expected_pipeline, model_files
from lexiclass_worker.services.transfers import transferring
from lexiclass_worker.tasks.context import TaskContext


class ClassProbability(NamedTuple):
    """How probable a class is."""

    class_name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrediction:
    """What a model version says of a text.

    Attributes:
        probabilities: Of the most probable classes, that of the predicted one first.
    """

    model_version: int
    probabilities: list[ClassProbability]

    @property
    def predicted(self) -> ClassProbability:
        """The most probable class."""
        return self.probabilities[0]


async def predict_text(
    where: Surroundings,
    project_id: int,
    field_id: int,
    text: str,
    *,
    version: int | None = None,
    top: int = 5,
) -> TextPrediction:
    """Predict a field for a text, in this process: a model loads without running code.

    Args:
        where: The database and the storage.
        project_id: The project.
        field_id: One of its fields.
        text: The text.
        version: The model version; the one that serves if None.
        top: How many classes are told at most.

    Raises:
        NotFound: If the project, the field or the version does not exist.
        NoReadyModel: If there is no model to use.
        WorkerError: What the library failed with.
    """
    async with where.sessions() as session:
        await projects.require_field(session, project_id, field_id)
        model = await models.require_ready_version(session, field_id, version)
    request = ModelRequest(project_id=project_id, field_id=field_id)
    context = TaskContext(
        message_id="text",
        settings=where.settings,
        sessions=where.sessions,
        storage=where.storage,
    )
    with library_errors():
        async with transferring(model_files(context, request, model.version)) as directory:
            ranked = await asyncio.to_thread(
                _rank, where.settings, request, directory, model.manifest_digest, text
            )
    return TextPrediction(model_version=model.version, probabilities=ranked[:top])


def _rank(
    settings: Settings,
    request: ModelRequest,
    directory: Path,
    manifest_digest: str | None,
    text: str,
) -> list[ClassProbability]:
    pretrained = settings.lexiclass_pretrained_directory.absolute()
    pipeline, _ = load_model(directory, expected_pipeline(request), pretrained, manifest_digest)
    predictions = pipeline.predict([text])
    (row,) = predictions.probabilities.tolist()
    # As predict has it, the first class of equal ones comes first.
    pairs = sorted(zip(predictions.classes, row, strict=True), key=lambda pair: -pair[1])
    return [ClassProbability(name, probability) for name, probability in pairs]
