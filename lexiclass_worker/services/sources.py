"""What every service tells the sandbox about a project's documents and a request's defaults."""

from pathlib import Path, PurePosixPath

from lexiclass_core.schemas import IndexDocuments, TrainFieldModel
from lexiclass_worker.ml.jobs import DocumentSource
from lexiclass_worker.tasks.context import TaskContext


def document_source(
    task: TaskContext, project_id: int, folder: PurePosixPath | None = None
) -> DocumentSource:
    """Where a project's documents lie; in one folder, when one is given."""
    return DocumentSource(
        root=task.storage.root,
        project_id=project_id,
        folder=None if folder is None else str(folder),
        max_bytes=task.settings.limits.document_bytes,
    )


def pretrained_directory(task: TaskContext) -> Path:
    """The only folder that pretrained models may be read from by path."""
    return task.settings.lexiclass_pretrained_directory.absolute()


def locale_of(task: TaskContext, request: IndexDocuments | TrainFieldModel) -> str:
    """The locale a request names, or else LEXICLASS_LOCALE."""
    if "locale" in request.model_fields_set:
        return request.locale
    return task.settings.lexiclass_locale
