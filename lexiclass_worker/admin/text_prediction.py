"""Predicting a text that is in no project; nothing is stored."""

from dataclasses import dataclass
from typing import NamedTuple

from lexiclass_core.schemas import ModelRequest
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.artifacts.transfers import transferring
from lexiclass_worker.jobs.prediction import PredictTextJob
from lexiclass_worker.repositories import model_versions, projects
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.services.model_files import expected_pipeline, model_files
from lexiclass_worker.services.signatures import require_signed


class ClassProbability(NamedTuple):
    """How probable a class is."""

    class_name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrediction:
    """What a model version says of a text.

    Attributes:
        probabilities: Of the most probable classes, that of the predicted one first.
        familiarity: P-value of the text's being like those of training; None where the model
            cannot tell.
        is_unfamiliar: Whether it is taken for unlike them; None as above.
    """

    model_version: int
    probabilities: list[ClassProbability]
    familiarity: float | None = None
    is_unfamiliar: bool | None = None

    @property
    def predicted(self) -> ClassProbability:
        """The most probable class."""
        return self.probabilities[0]


async def predict_text(
    context: AdminContext,
    project_id: int,
    field_id: int,
    text: str,
    *,
    version: int | None = None,
    top: int = 5,
) -> TextPrediction:
    """Predict a field for a text, in a child of this process as workers do.

    ``version`` is a model version, or None for the one that serves; the ``top`` most probable
    classes are told.

    Raises:
        NotFound: If the project, the field or the version does not exist.
        NoReadyModel: If there is no model to use.
        WorkerError: What the library failed with.
    """
    async with context.sessions() as session:
        await projects.require_field(session, project_id, field_id)
        model = await model_versions.require_ready_version(session, field_id, version)
    require_signed(context.settings.storage.keys, project_id, model)
    request = ModelRequest(project_id=project_id, field_id=field_id)
    sandbox = Sandbox.from_settings(context.settings, tasks=1)
    async with transferring(model_files(context.storage, request, model.version)) as directory:
        outcome = await sandbox.run(
            PredictTextJob(
                text=text,
                pretrained_directory=context.settings.lexiclass_pretrained_directory.absolute(),
                model_directory=directory,
                manifest_digest=model.manifest_digest,
                expected=expected_pipeline(request),
            )
        )
    # As predict has it, the first class of equal ones comes first.
    pairs = sorted(
        zip(outcome["classes"], outcome["probabilities"], strict=True), key=lambda pair: -pair[1]
    )
    ranked = [ClassProbability(name, probability) for name, probability in pairs]
    return TextPrediction(
        model_version=model.version,
        probabilities=ranked[:top],
        familiarity=outcome.get("familiarity"),
        is_unfamiliar=outcome.get("unfamiliar"),
    )
