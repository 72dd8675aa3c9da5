"""Jobs that use a model."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from lexiclass_core.layout import REPORT_JSON, REPORT_PAGE, REPORT_PREDICTIONS
from lexiclass_worker.jobs.document_refs import DocumentRef
from lexiclass_worker.jobs.gating import GateInputs
from lexiclass_worker.jobs.inputs import (
    ExpectedPipeline,
    ProjectDocuments,
    ProjectIndexes,
    copies_of,
)
from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelJob(ABC):
    """Use the model in ``model_directory`` on documents.

    Attributes:
        indexes: Those of the project; None to predict from the texts.
        manifest_digest: SHA-256 of the model's manifest, where it was kept; None takes any.
        batch_size: Documents held in memory at a time.
        memory_bytes: What it may take; None for no limit.
    """

    reuses_child: ClassVar[bool] = True

    source: ProjectDocuments
    pretrained_directory: Path
    indexes: ProjectIndexes | None
    documents: list[DocumentRef]
    model_directory: Path
    manifest_digest: str | None
    expected: ExpectedPipeline
    batch_size: int
    memory_bytes: int | None = None

    @property
    @abstractmethod
    def outputs(self) -> tuple[Path, ...]:
        """Files that are written."""

    @property
    def access(self) -> Access:
        folders = (*self.source.folders, *copies_of(self.indexes))
        # The same for all models of a project, if they lie in its folder or among the copies.
        is_known = any(self.model_directory.is_relative_to(folder) for folder in folders)
        model = () if is_known else (str(self.model_directory),)
        return Access(
            reads=(*folders, str(self.pretrained_directory), *model),
            outputs=self.outputs,
            root=self.source.directory,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictJob(ModelJob):
    """Predict documents with the model in ``model_directory``.

    Attributes:
        class_ids: Classes the field has now; the model may predict no other.
        history: File to write, one JSON object a line for each prediction.
        rows: File to write, CSV of document id, class id, confidence, whether it is accepted, and
            metadata as JSON.
        accept_from: The lowest confidence of a prediction that is accepted; None to mark none.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.prediction:predict_documents"

    model_version: int
    class_ids: list[int]
    history: Path
    rows: Path
    accept_from: float | None = None

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Files that are written."""
        return (self.history, self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictTextJob:
    """Predict a text, which is in no project, with the model in ``model_directory``.

    Attributes:
        manifest_digest: SHA-256 of the model's manifest, where it was kept; None takes any.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.prediction:predict_text"
    reuses_child: ClassVar[bool] = False

    text: str
    pretrained_directory: Path
    model_directory: Path
    manifest_digest: str | None
    expected: ExpectedPipeline

    @property
    def access(self) -> Access:
        return Access(reads=(str(self.model_directory), str(self.pretrained_directory)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """A report to write, and what the child cannot know of it.

    Attributes:
        directory: Where to; :data:`NAMES` are its files.
        model_name: For people.
        model_version: Its number.
        test_set_name: For people.
        test_set_digest: Which documents have which true class.
        created_at: When the evaluation began, in ISO 8601.
        shows_texts: Whether they show the beginnings of texts that are predicted wrong.
    """

    NAMES: ClassVar[tuple[str, ...]] = (REPORT_JSON, REPORT_PAGE, REPORT_PREDICTIONS)

    directory: Path
    model_name: str
    model_version: int
    test_set_name: str
    test_set_digest: str
    created_at: str
    shows_texts: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that are written."""
        return tuple(self.directory / name for name in self.NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob(ModelJob):
    """Hold the model in ``model_directory`` against documents and their labels.

    Attributes:
        training_ids: Ids of the field's training documents, which no test document should be like.
        columns: What documents may have in common, by its name: a value of each; None for none.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.evaluation:evaluate_model"

    labels: list[str]
    training_ids: list[int]
    training_labels: list[str]
    columns: dict[str, list[str | None]]
    report: ReportFiles
    gates: GateInputs = field(default_factory=GateInputs)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Files that are written."""
        return self.report.paths
