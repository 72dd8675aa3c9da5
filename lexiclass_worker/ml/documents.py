"""Reading a project's documents, and nothing else.

Whoever can write a document row or a file below the project's folder must not be able to make the
worker read another project's text or a file of the machine: paths are checked before they are
opened, and no symbolic link is followed out of the project.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, DocumentLoader, DocumentUnreadable, UnreadableDocument
from lexiclass.index import Survey
from lexiclass_core import layout
from lexiclass_worker.ml import reading
from lexiclass_worker.ml.jobs import DocumentReference, DocumentSource
from lexiclass_worker.ml.stored_objects import Look, StoredObjects

# File systems keep times to some milliseconds, network file systems by the clock of their server.
_SETTLED_NS: Final = 2_000_000_000


def read_documents(
    source: DocumentSource, documents: Iterable[DocumentReference]
) -> Iterator[Document | UnreadableDocument]:
    """Read documents in order; one that cannot be read is reported and ends nothing."""
    reader = _ObjectReader(source) if source.is_remote else _LocalReader(source)
    loader = DocumentLoader(read=reader, max_bytes=source.max_bytes)
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
        paths = [self._path(self._documents[position]) for position in positions.tolist()]
        if self._source.is_remote:
            # Made where it is used: it does not survive a fork.
            objects = StoredObjects(self._source.root)
            below = [path.removeprefix(f"{self._source.root}/") for path in paths]
            looked = objects.look(below, self._listed)
        else:
            newest = time.time_ns() - _SETTLED_NS
            looked = [_look(path, newest) for path in paths]
        stamps, sizes = np.array(looked, dtype=np.int64).reshape(-1, 2).T
        return Survey(stamps, sizes)

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        """See :class:`lexiclass.index.DocumentSource`."""
        chosen = map(self._documents.__getitem__, positions.tolist())
        return read_documents(self._source, chosen)

    def note(self, position: int) -> None:
        """Say that a document is parsed from now on; see :mod:`lexiclass_worker.ml.reading`."""
        reading.note(self._documents[position][0])

    def _path(self, document: DocumentReference) -> str:
        document_id, content_path = document
        if self._source.folder is None and content_path:
            folder, _, name = content_path.rpartition("/")
            try:
                # Many documents lie in few folders: taking paths apart costs more than to look.
                if _is_plain(name) and (place := self._inside_project(folder)) is not None:
                    return f"{place}/{name}"
                path = layout.inside_project(
                    self._source.project_id, content_path, base_path=self._source.root
                )
            except layout.PathOutsideProjectError:
                return ""
            return f"{self._source.root}/{path}"
        return f"{self._folder}/{layout.document_file_name(document_id)}"

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
            return f"{self._source.root}/{file.parent}"

        return locate

    @cached_property
    def _folder(self) -> str:
        usual = layout.document_path(self._source.project_id, 0).parent
        return f"{self._source.root}/{self._source.folder or usual}"


def _is_plain(name: str) -> bool:
    """Whether the last part of a path is a name, which leads nowhere else."""
    return name not in {"", ".", ".."} and "\\" not in name and "\0" not in name


def _look(path: str, newest: int) -> Look:
    """The stamp and the size of a file; 0 for a stamp that can't be relied on."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return 0, 0  # reading it says what is wrong
    if not stat.S_ISREG(status.st_mode) or status.st_ctime_ns > newest:
        return 0, status.st_size
    # Of integers, so it is the same in every process.
    key = (status.st_ino, status.st_dev, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return hash(key), status.st_size


class _LocalReader:
    """Reads below the project's folder of a directory."""

    def __init__(self, source: DocumentSource) -> None:
        self._root = Path(source.root)
        self._project = os.path.realpath(self._root / layout.project_root(source.project_id))
        self._max_bytes = source.max_bytes
        # Documents share few folders: each is resolved once.
        self._is_inside = lru_cache(maxsize=1024)(self._resolves_inside)

    def __call__(self, path: str) -> bytes:
        """The file's bytes; one more than allowed, at most."""
        file = self._root / path
        if not self._is_inside(file.parent):
            raise PermissionError(0, "a symbolic link leaves the project's storage")
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if file.is_symlink():
                raise PermissionError(0, "a symbolic link") from error
            raise
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PermissionError(0, "not a regular file")
            return opened.read(self._max_bytes + 1)

    def _resolves_inside(self, folder: Path) -> bool:
        resolved = os.path.realpath(folder)
        return resolved == self._project or resolved.startswith(self._project + os.sep)


class _ObjectReader:
    """Reads below the project's prefix of an object store, which has no links."""

    def __init__(self, source: DocumentSource) -> None:
        self._objects = StoredObjects(source.root)
        self._max_bytes = source.max_bytes

    def __call__(self, path: str) -> bytes:
        """The object's bytes; one more than allowed, at most."""
        return self._objects.read(path, self._max_bytes + 1)
