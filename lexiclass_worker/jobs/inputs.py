"""What jobs work with: the documents, indexes and models of a project, and access to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexiclass_core import layout
from lexiclass_worker.artifacts.copies import project_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfProject:
    """What a project has in the storage.

    Attributes:
        root: Absolute path or URL of the storage.
        project_id: The project, whose folder nothing of it may be outside of.
    """

    root: str
    project_id: int

    @property
    def is_remote(self) -> bool:
        """Whether they lie in an object store."""
        return "://" in self.root

    @property
    def directory(self) -> str:
        """The root, if it is a directory."""
        return "" if self.is_remote else self.root


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectDocuments(_OfProject):
    """Where a project's documents lie.

    Attributes:
        folder: Folder of {document_id}.txt files, relative to the root, that replaces the usual
            places; already known to be inside the project.
        max_bytes: Largest document that is read, in bytes.
        largest_id: No document of the project has a larger id, as far as is known: 0 if nothing is.
    """

    folder: str | None
    max_bytes: int
    largest_id: int = 0

    @property
    def folders(self) -> tuple[str, ...]:
        """The folder that all of them are below, on a disk."""
        if self.is_remote:
            return ()
        return (f"{self.root}/{layout.project_root(self.project_id)}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectIndexes(_OfProject):
    """Where a project's indexes lie.

    Attributes:
        cache_directory: Where this machine keeps copies of those in an object store; others need
            none.
        cache_bytes: What the copies may take together, in bytes.
        digests: SHA-256 of the manifests that each index may have: of the one that was published,
            and of the one that is being published.
        takes_unknown: Whether an index that nothing is known of is used.
    """

    cache_directory: Path | None = None
    cache_bytes: int = 0
    digests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    takes_unknown: bool = True

    @property
    def folder(self) -> str:
        """Their folder, relative to the root."""
        return str(layout.indexes_directory(self.project_id))

    @property
    def location(self) -> str:
        """Absolute path or URL of their folder."""
        return f"{self.root}/{self.folder}"

    def knows(self, name: str, digest: str) -> bool:
        """Whether an index may have a manifest."""
        known = self.digests.get(name)
        return self.takes_unknown if known is None else digest in known

    @property
    def folders(self) -> tuple[str, ...]:
        """The folder that they are written to: their own, or that of the copies."""
        return self.copies if self.is_remote else (self.location,)

    @property
    def copies(self) -> tuple[str, ...]:
        """The folder of this machine's copies of what the project has in an object store."""
        if self.cache_directory is None:
            return ()
        return (str(project_cache(self.cache_directory, self.project_id)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPipeline:
    """What a request says a model was trained with; None where it says nothing."""

    tokenizer: str | None
    feature_extractor: str | None
    locale: str | None


def copies_of(indexes: ProjectIndexes | None) -> tuple[str, ...]:
    """The folder of this machine's copies of indexes, if there is one."""
    return () if indexes is None else indexes.copies
