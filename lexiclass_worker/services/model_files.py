"""The files of a ready model version."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexiclass_core import layout
from lexiclass_core.models import Model
from lexiclass_core.schemas import ModelRequest
from lexiclass_worker.errors import ModelCorrupt
from lexiclass_worker.ml.jobs import ExpectedPipeline
from lexiclass_worker.tasks.context import TaskContext


@contextmanager
def model_files(task: TaskContext, request: ModelRequest, model: Model) -> Iterator[Path]:
    """A local folder with the version's files.

    Raises:
        ModelCorrupt: If they are gone.
    """
    directory = layout.model_directory(request.project_id, request.field_id, model.version)
    try:
        files = task.storage.reading(directory)
        with files as path:
            yield path
    except FileNotFoundError as error:
        raise ModelCorrupt(
            f"the files of model version {model.version} of field {request.field_id} are gone from "
            f"{task.storage.locate(directory)}: restore them or train a new version",
            details={"field_id": request.field_id, "model_version": model.version},
        ) from error


def expected_pipeline(request: ModelRequest) -> ExpectedPipeline:
    """What a request says the model was trained with; None where it says nothing."""
    return ExpectedPipeline(
        tokenizer=request.tokenizer,
        feature_extractor=request.feature_extractor,
        locale=request.locale,
    )
