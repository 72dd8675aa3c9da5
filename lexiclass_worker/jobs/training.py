"""Jobs that make a model, and check it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_worker.jobs.document_refs import DocumentRef
from lexiclass_worker.jobs.inputs import ProjectDocuments, ProjectIndexes, copies_of
from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateJob:
    """Check that a pipeline can be made, before anything is recorded or read.

    Attributes:
        pipeline: Fields of :class:`lexiclass.PipelineSpec`.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.training:validate_pipeline"
    reuses_child: ClassVar[bool] = False

    pipeline: dict[str, Any]

    @property
    def access(self) -> Access:
        return Access()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """Train a pipeline on documents and their labels, and save it as ``directory``.

    Attributes:
        indexes: Those of the project; None to train from the texts.
        labels: Class name of each document.
        class_ids: Id of each class name; kept with the model.
        pipeline: Fields of :class:`lexiclass.PipelineSpec`.
        metadata: Kept with the model.
        memory_bytes: What it may take; None for no limit.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.training:train_model"
    reuses_child: ClassVar[bool] = False

    source: ProjectDocuments
    pretrained_directory: Path
    indexes: ProjectIndexes | None
    documents: list[DocumentRef]
    labels: list[str]
    class_ids: dict[str, int]
    pipeline: dict[str, Any]
    directory: Path
    metadata: dict[str, Any]
    num_processes: int
    memory_bytes: int | None = None

    @property
    def access(self) -> Access:
        return Access(
            reads=(
                *self.source.folders,
                *copies_of(self.indexes),
                str(self.pretrained_directory),
            ),
            # The model is made beside its place.
            writes=(str(self.directory.parent),),
            root=self.source.directory,
            num_processes=self.num_processes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyJob:
    """Check every byte of the model in ``directory``, and say what its manifest does."""

    function: ClassVar[str] = "lexiclass_worker.ml.verification:verify_files"
    reuses_child: ClassVar[bool] = False

    directory: Path

    @property
    def access(self) -> Access:
        return Access(reads=(str(self.directory),))
