"""Reading a project's documents, and nothing else.

Whoever can write a document row or a file below the project's folder must not be able to make the
worker read another project's text or a file of the machine: paths are checked before they are
opened, and no symbolic link is followed out of the project.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, DocumentLoader, DocumentUnreadable, UnreadableDocument
from lexiclass.index import Survey
from lexiclass_core import layout
from lexiclass_worker.ml import reading
from lexiclass_worker.ml.jobs import DocumentReference, DocumentSource
from lexiclass_worker.ml.local_files import LocalFiles
from lexiclass_worker.ml.stored_objects import Look, Place, StoredObjects


def read_documents(
    source: DocumentSource, documents: Iterable[DocumentReference]
) -> Iterator[Document | UnreadableDocument]:
    """Read documents in order; one that cannot be read is reported and ends nothing."""
    files = (
        StoredObjects(source.root)
        if source.is_remote
        else LocalFiles(source.root, source.project_id)
    )
    # One more than allowed, at most, so that what is too large is known.
    loader = DocumentLoader(
        read=lambda path: files.read(path, source.max_bytes + 1), max_bytes=source.max_bytes
    )
    for document_id, content_path in documents:
        reading.note(document_id)
        try:
            yield _load(loader, source, document_id, content_path)
        except layout.PathOutsideProjectError:
            yield UnreadableDocument(document_id, "content_path leaves the project's storage")
        except DocumentUnreadable as error:
            yield UnreadableDocument(document_id, error.reason)


def _load(
    loader: DocumentLoader, source: DocumentSource, document_id: int, content_path: str | None
) -> Document:
    if source.folder is not None:
        folder = PurePosixPath(source.folder)
        return loader.load(document_id, str(folder / layout.document_file_name(document_id)))
    usual = str(layout.document_path(source.project_id, document_id))
    if not content_path:
        return loader.load(document_id, usual)
    path = str(layout.inside_project(source.project_id, content_path, base_path=source.root))
    try:
        return loader.load(document_id, path)
    except DocumentUnreadable as error:
        if error.reason != "missing" or path == usual:
            raise
        return loader.load(document_id, usual)


class StoredDocuments:
    """Documents of a project, for a build of its index and for those who read it.

    A file that was not written to since has the same stamp, made of its identity, its size and the
    times the kernel keeps. One that was written to a moment ago has none: it may change again and
    keep them. The stamp of an object is made of the tag that its store gives to its content.

    Many objects are looked at by a listing of their folder, once: what is written to them later is
    seen by another of these.
    """

    def __init__(self, source: DocumentSource, documents: Sequence[DocumentReference]) -> None:
        self._source = source
        self._documents = documents
        self._ids = np.array([document_id for document_id, _ in documents], dtype=np.int64)
        self._listed: dict[str, Mapping[str, Look]] = {}

    @property
    def ids(self) -> NDArray[np.int64]:
        """See :class:`lexiclass.index.DocumentSource`."""
        return self._ids

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        """See :class:`lexiclass.index.DocumentSource`."""
        places = [self._place(self._documents[position]) for position in positions.tolist()]
        if self._source.is_remote:
            # Made where it is used: it does not survive a fork.
            looked = StoredObjects(self._source.root).look(places, self._listed)
        else:
            looked = LocalFiles(self._source.root, self._source.project_id).look(places)
        stamps, sizes = np.array(looked, dtype=np.int64).reshape(-1, 2).T
        return Survey(stamps, sizes)

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        """See :class:`lexiclass.index.DocumentSource`."""
        chosen = map(self._documents.__getitem__, positions.tolist())
        return read_documents(self._source, chosen)

    def note(self, position: int) -> None:
        """Say that a document is parsed from now on; see :mod:`lexiclass_worker.ml.reading`."""
        reading.note(self._documents[position][0])

    def _place(self, document: DocumentReference) -> Place:
        document_id, content_path = document
        if self._source.folder is not None or not content_path:
            return self._folder, layout.document_file_name(document_id)
        folder, _, name = content_path.rpartition("/")
        try:
            # Many documents lie in few folders: taking paths apart costs more than to look.
            if _is_plain(name) and (place := self._inside_project(folder)) is not None:
                return place, name
            path = layout.inside_project(
                self._source.project_id, content_path, base_path=self._source.root
            )
        except layout.PathOutsideProjectError:
            return "", ""
        return str(path.parent), path.name

    @cached_property
    def _inside_project(self) -> Callable[[str], str | None]:
        """Where a folder of this project is; remembers the last ones.

        None for the storage's root, in which the name of a file says whose it is.
        """

        @lru_cache(maxsize=1024)
        def locate(folder: str) -> str | None:
            if not PurePosixPath(folder.removeprefix(self._source.root).lstrip("/")).parts:
                return None
            file = layout.inside_project(
                self._source.project_id, f"{folder}/_", base_path=self._source.root
            )
            return str(file.parent)

        return locate

    @cached_property
    def _folder(self) -> str:
        return self._source.folder or str(layout.documents_directory(self._source.project_id))


def _is_plain(name: str) -> bool:
    """Whether the last part of a path is a name, which leads nowhere else."""
    return name not in {"", ".", ".."} and "\\" not in name and "\0" not in name
