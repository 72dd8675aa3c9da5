"""Deleting documents and projects."""

from typing import Annotated, ClassVar

from pydantic import Field

from lexiclass_core.schemas.base import Ids, Request, Result
from lexiclass_core.values import Record


class ModelVersionRef(Record):
    """A version of a field's model."""

    field_id: int
    version: int


class EraseResult(Result):
    """What an erasure removed.

    Attributes:
        num_documents: Documents whose rows were deleted, also by an attempt before; others were
            none of the project's, or were erased before.
        num_indexes: Indexes that hold nothing of them now.
        num_predictions: Lines that were taken out of histories of predictions.
        model_versions: Versions trained since the first of these documents came, whose files may
            hold words of them.
        models_removed: Whether these versions were retired and their files removed.
    """

    num_documents: int
    num_indexes: int
    num_predictions: int
    model_versions: list[ModelVersionRef]
    models_removed: bool


class EraseDocuments(Request):
    """Delete documents and what is known of them: rows, texts, indexes, histories."""

    actor_name: ClassVar[str] = "erase_documents"

    document_ids: Annotated[Ids, Field(min_length=1)]
    remove_models: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Also retire and remove the model versions that may hold words of them, even "
        "if a field is left without one",
    )

    @classmethod
    def result_type(cls) -> type[EraseResult]:
        return EraseResult


class DeleteProjectResult(Result):
    """What the deletion of a project removed.

    Attributes:
        num_documents: Documents whose rows were deleted, by the last attempt.
        num_tasks: Task rows that were deleted; that of the deletion itself stays.
    """

    num_documents: int
    num_tasks: int


class DeleteProject(Request):
    """Delete a project with all it has: rows, tasks, files."""

    actor_name: ClassVar[str] = "delete_project"

    @classmethod
    def result_type(cls) -> type[DeleteProjectResult]:
        return DeleteProjectResult
