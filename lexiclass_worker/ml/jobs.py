"""What each function of ml/ is given: plain values that travel to the child.

``pretrained_directory`` is the only folder that pretrained models may be read from by path.

A job names the function that does it. The worker's process needs the jobs only and never imports
the functions, nor NumPy and what else they load.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from lexiclass_core import layout
from lexiclass_worker.ml.references import DocumentReference, DocumentReferences


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Files that a job works with. What is not there is left out.

    Attributes:
        reads: Absolute paths of files, and of folders with all below them; URLs of a store.
        writes: The same of folders that are written to, and read. One that is missing is made.
        root: Of a storage that is a directory. Below it no link is followed, and nothing is made
            if it is gone.
        outputs: Files that the job writes, each of them from its beginning and once. They lie where
            it has no access, and are opened by the worker; see :mod:`lexiclass_worker.ml.outputs`.
        num_processes: Processes that it may share its work among; with 1 it can fork none.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    root: str = ""
    num_processes: int = 1


class Job(Protocol):
    """Work for the sandbox.

    Attributes:
        function: ``module:name`` of ``function(job, report) -> dict`` with JSON values.
        reuses_child: Whether it shares a child with others of the same access, one after the
            other, and with it the models they have loaded. Else a child does this one job, and all
            its memory goes back.
    """

    function: ClassVar[str]
    reuses_child: ClassVar[bool]

    @property
    def access(self) -> Access:
        """The files it works with: its child can open no others."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSource:
    """Where a project's documents lie.

    Attributes:
        root: Absolute path or URL of the storage.
        project_id: The project, whose folder no document may be outside of.
        folder: Folder of {document_id}.txt files, relative to the root, that replaces the usual
            places; already known to be inside the project.
        max_bytes: Largest document that is read, in bytes.
    """

    root: str
    project_id: int
    folder: str | None
    max_bytes: int

    @property
    def is_remote(self) -> bool:
        """Whether they lie in an object store."""
        return "://" in self.root

    @property
    def project_folder(self) -> str:
        """The folder, or the URL, that all of them are below."""
        return f"{self.root}/{layout.project_root(self.project_id)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectIndexes:
    """Where a project's indexes lie.

    Attributes:
        root: Absolute path or URL of the storage.
        folder: Their folder, relative to the root.
        cache_directory: Where this machine keeps copies of those in an object store; others need
            none.
        cache_bytes: What the copies may take together, in bytes.
        digests: SHA-256 of the manifests that each index may have: of the one that was published,
            and of the one that is being published.
        takes_unknown: Whether an index that nothing is known of is used.
    """

    root: str
    folder: str
    cache_directory: Path | None = None
    cache_bytes: int = 0
    digests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    takes_unknown: bool = True

    @property
    def location(self) -> str:
        """Absolute path or URL of their folder."""
        return f"{self.root}/{self.folder}"

    @property
    def is_remote(self) -> bool:
        """Whether they lie in an object store."""
        return "://" in self.root

    def knows(self, name: str, digest: str) -> bool:
        """Whether an index may have a manifest."""
        known = self.digests.get(name)
        return self.takes_unknown if known is None else digest in known

    @property
    def copies(self) -> tuple[str, ...]:
        """The folder of this machine's copies, which whoever reads them brings up to date."""
        return () if self.cache_directory is None else (str(self.cache_directory),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPipeline:
    """What a request says a model was trained with; None where it says nothing."""

    tokenizer: str | None
    feature_extractor: str | None
    locale: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexJob:
    """Bring the index of a tokenizer and a locale up to date with ``documents``."""

    function: ClassVar[str] = "lexiclass_worker.ml.indexing:build_project_index"
    reuses_child: ClassVar[bool] = False

    source: DocumentSource
    pretrained_directory: Path
    documents: DocumentReferences
    indexes: ProjectIndexes
    tokenizer: str
    locale: str
    tokenizer_params: dict[str, Any]
    is_incremental: bool
    num_processes: int

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return Access(
            reads=(self.source.project_folder, str(self.pretrained_directory)),
            writes=(self.indexes.location, *self.indexes.copies),
            root=self.indexes.root,
            num_processes=self.num_processes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseJob:
    """Keep ``documents`` in all indexes of a project, and no trace of any other."""

    function: ClassVar[str] = "lexiclass_worker.ml.erasure:erase_from_indexes"
    reuses_child: ClassVar[bool] = False

    documents: DocumentReferences
    indexes: ProjectIndexes

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return Access(writes=(self.indexes.location, *self.indexes.copies), root=self.indexes.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEncoderJob:
    """Find what computes embeddings, and the key of its index.

    Attributes:
        parameters: Of the feature extractor.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.embeddings:find_encoder"
    reuses_child: ClassVar[bool] = False

    pretrained_directory: Path
    feature_extractor: str
    parameters: dict[str, Any]

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return Access(reads=(str(self.pretrained_directory),))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedJob:
    """Bring an index of embeddings up to date with ``documents``.

    Attributes:
        parameters: Of the feature extractor.
        key: Its name: what :class:`FindEncoderJob` has found.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.embeddings:build_project_embeddings"
    reuses_child: ClassVar[bool] = False

    source: DocumentSource
    pretrained_directory: Path
    documents: DocumentReferences
    indexes: ProjectIndexes
    feature_extractor: str
    parameters: dict[str, Any]
    key: str
    is_incremental: bool
    num_processes: int

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return Access(
            reads=(self.source.project_folder, str(self.pretrained_directory)),
            writes=(self.indexes.location, *self.indexes.copies),
            root=self.indexes.root,
            num_processes=self.num_processes,
        )


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
        """See :class:`Job`."""
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

    source: DocumentSource
    pretrained_directory: Path
    indexes: ProjectIndexes | None
    documents: list[DocumentReference]
    labels: list[str]
    class_ids: dict[str, int]
    pipeline: dict[str, Any]
    directory: Path
    metadata: dict[str, Any]
    num_processes: int
    memory_bytes: int | None = None

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return Access(
            reads=(self.source.project_folder, str(self.pretrained_directory)),
            # The model is made beside its place.
            writes=(str(self.directory.parent), *_copies(self.indexes)),
            root=self.source.root,
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
        """See :class:`Job`."""
        return Access(reads=(str(self.directory),))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictJob:
    """Predict documents with the model in ``model_directory``.

    Attributes:
        indexes: Those of the project; None to predict from the texts.
        manifest_digest: SHA-256 of the model's manifest, where it was kept; None takes any.
        class_ids: Classes the field has now; the model may predict no other.
        batch_size: Documents held in memory at a time.
        history: File to write, one JSON object a line for each prediction.
        rows: File to write, CSV of document id, class id, confidence and metadata as JSON.
        memory_bytes: What it may take; None for no limit.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.prediction:predict_documents"
    reuses_child: ClassVar[bool] = True

    source: DocumentSource
    pretrained_directory: Path
    indexes: ProjectIndexes | None
    documents: list[DocumentReference]
    model_directory: Path
    model_version: int
    manifest_digest: str | None
    expected: ExpectedPipeline
    class_ids: list[int]
    batch_size: int
    history: Path
    rows: Path
    memory_bytes: int | None = None

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return _access_to_model(
            self.source,
            self.indexes,
            self.pretrained_directory,
            self.model_directory,
            outputs=(self.history, self.rows),
        )


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
        """See :class:`Job`."""
        return Access(reads=(str(self.model_directory), str(self.pretrained_directory)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob:
    """Hold the model in ``model_directory`` against documents and their labels.

    Attributes:
        indexes: Those of the project; None to predict from the texts.
        training_ids: Ids of the field's training documents, which no test document should be like.
        manifest_digest: SHA-256 of the model's manifest, where it was kept; None takes any.
        memory_bytes: What it may take; None for no limit.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.evaluation:evaluate_model"
    reuses_child: ClassVar[bool] = True

    source: DocumentSource
    pretrained_directory: Path
    indexes: ProjectIndexes | None
    documents: list[DocumentReference]
    labels: list[str]
    training_ids: list[int]
    model_directory: Path
    manifest_digest: str | None
    expected: ExpectedPipeline
    batch_size: int
    memory_bytes: int | None = None

    @property
    def access(self) -> Access:
        """See :class:`Job`."""
        return _access_to_model(
            self.source, self.indexes, self.pretrained_directory, self.model_directory
        )


def _copies(indexes: ProjectIndexes | None) -> tuple[str, ...]:
    return () if indexes is None else indexes.copies


def _access_to_model(
    source: DocumentSource,
    indexes: ProjectIndexes | None,
    pretrained_directory: Path,
    model_directory: Path,
    outputs: tuple[Path, ...] = (),
) -> Access:
    """The same for all models of a project, if they lie in its folder or among the copies."""
    known = (source.project_folder, *_copies(indexes))
    is_known = any(model_directory.is_relative_to(folder) for folder in known)
    model = () if is_known else (str(model_directory),)
    return Access(
        reads=(source.project_folder, str(pretrained_directory), *model),
        writes=_copies(indexes),
        outputs=outputs,
        root=source.root,
    )
