"""Jobs that bring a project's indexes up to date."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_core.keys import Keys
from lexiclass_worker.jobs.document_refs import DocumentRefs
from lexiclass_worker.jobs.inputs import ProjectDocuments, ProjectIndexes
from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class _BuildJob:
    reuses_child: ClassVar[bool] = False

    source: ProjectDocuments
    pretrained_directory: Path
    documents: DocumentRefs
    indexes: ProjectIndexes
    is_incremental: bool
    num_processes: int

    @property
    def access(self) -> Access:
        return Access(
            reads=(*self.source.folders, str(self.pretrained_directory)),
            writes=self.indexes.folders,
            root=self.indexes.directory,
            num_processes=self.num_processes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexJob(_BuildJob):
    """Bring the index of a tokenizer and a locale up to date with ``documents``.

    Attributes:
        claim_keys: Sign the shards that are finished, for the next build if this one is killed.
        build: Names the build, for which other jobs may have made shards.
        most_new: How many new documents it reads by itself: of more it answers with the ``shards``
            they are to become, and changes nothing. None for any number.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.indexing:build_project_index"

    claim_keys: Keys
    build: str
    most_new: int | None
    tokenizer: str
    locale: str
    tokenizer_params: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """Make some of the shards of a build, which lie in no index yet.

    Attributes:
        documents: Those of the shards, one shard after the other.
        shards: Name of each shard, and how many of the documents are its.
        directory: Where the shards are written; it is there.
        claim_keys: See :class:`IndexJob`.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.indexing:write_project_shards"
    reuses_child: ClassVar[bool] = False

    source: ProjectDocuments
    pretrained_directory: Path
    documents: DocumentRefs
    shards: list[tuple[str, int]]
    directory: Path
    num_processes: int
    claim_keys: Keys
    build: str
    tokenizer: str
    locale: str
    tokenizer_params: dict[str, Any]

    @property
    def access(self) -> Access:
        return Access(
            reads=(*self.source.folders, str(self.pretrained_directory)),
            writes=(str(self.directory),),
            root=self.source.directory,
            num_processes=self.num_processes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEncoderJob:
    """Find what computes embeddings, and the key of its index."""

    function: ClassVar[str] = "lexiclass_worker.ml.embeddings:find_encoder"
    reuses_child: ClassVar[bool] = False

    pretrained_directory: Path
    feature_extractor: str
    parameters: dict[str, Any]

    @property
    def access(self) -> Access:
        return Access(reads=(str(self.pretrained_directory),))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedJob(_BuildJob):
    """Bring an index of embeddings up to date with ``documents``.

    Attributes:
        key: Its name: what :class:`FindEncoderJob` has found.
    """

    function: ClassVar[str] = "lexiclass_worker.ml.embeddings:build_project_embeddings"

    feature_extractor: str
    parameters: dict[str, Any]
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseJob:
    """Keep ``documents`` in all indexes of a project, and no trace of any other."""

    function: ClassVar[str] = "lexiclass_worker.ml.erasure:erase_from_indexes"
    reuses_child: ClassVar[bool] = False

    documents: DocumentRefs
    indexes: ProjectIndexes

    @property
    def access(self) -> Access:
        return Access(writes=self.indexes.folders, root=self.indexes.directory)
