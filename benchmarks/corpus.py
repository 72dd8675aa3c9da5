"""What is measured on: texts, and the same ones as files of a project."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexiclass_core import layout
from lexiclass_worker.jobs.document_refs import DocumentRef
from lexiclass_worker.jobs.inputs import ProjectDocuments

_LARGEST_DOCUMENT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Texts in memory and the same ones as files of a project, as the worker keeps them.

    Attributes:
        storage: Holds the files.
        project_id: Whose they are.
        ids: Of the documents.
        texts: Of the documents.
        labels: Of the documents.
        directory: Where whatever else is needed is written.
    """

    storage: Path
    project_id: int
    ids: Sequence[int]
    texts: Sequence[str]
    labels: Sequence[str]
    directory: Path

    def first(self, num_documents: int) -> Corpus:
        """Return a part of it, on the same files."""
        return replace(
            self,
            ids=self.ids[:num_documents],
            texts=self.texts[:num_documents],
            labels=self.labels[:num_documents],
        )

    @property
    def num_bytes(self) -> int:
        """All texts together."""
        return sum(map(len, self.texts))

    @property
    def references(self) -> list[DocumentRef]:
        """The documents as a job names them: all at their usual places."""
        return [(document_id, None) for document_id in self.ids]

    @property
    def source(self) -> ProjectDocuments:
        """Where the files lie."""
        return ProjectDocuments(
            root=str(self.storage),
            project_id=self.project_id,
            folder=None,
            max_bytes=_LARGEST_DOCUMENT,
        )

    def path(self, document_id: int) -> Path:
        """Return the file of a document."""
        return self.storage / layout.document_path(self.project_id, document_id)

    def new_directory(self, name: str) -> Path:
        """Return a directory that is not there yet."""
        directory = self.directory / name
        shutil.rmtree(directory, ignore_errors=True)
        return directory
