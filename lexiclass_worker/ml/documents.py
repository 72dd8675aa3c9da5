"""Reading a project's documents, and nothing else.

Whoever can write a document row or a file below the project's folder must not be able to make the
worker read another project's text or a file of the machine: paths are checked before they are
opened, and no symbolic link is followed out of the project.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice, repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, DocumentLoader, DocumentUnreadable, UnreadableDocument
from lexiclass.index import Survey
from lexiclass_worker.artifacts.document_objects import NOTHING, Look
from lexiclass_worker.artifacts.project_objects import LONGEST_NAME, ProjectObjects
from lexiclass_worker.jobs.document_refs import DocumentRef, DocumentRefs
from lexiclass_worker.jobs.inputs import ProjectDocuments
from lexiclass_worker.ml import crash_notes
from lexiclass_worker.ml.document_paths import NOWHERE, DocumentPath, DocumentPaths
from lexiclass_worker.ml.listing_plans import plan_listings
from lexiclass_worker.ml.local_files import LocalFiles
from lexiclass_worker.ml.objects import objects_of

# Side by side: what a listing says of an object takes a kilobyte until it is looked through.
_LISTINGS_TOGETHER: Final = 4

# Documents that are asked for by one request.
_TOGETHER: Final = 4_096


def read_documents(
    source: ProjectDocuments, documents: Iterable[DocumentRef]
) -> Iterator[Document | UnreadableDocument]:
    """Read documents in order; one that cannot be read is reported and ends nothing."""
    if source.is_remote:
        yield from _read_objects(source, documents)
        return
    loader = _Loader(source, LocalFiles(source.root, source.project_id).read)
    for reference in documents:
        crash_notes.note(reference[0])
        yield loader.load(reference)


def _read_objects(
    source: ProjectDocuments, documents: Iterable[DocumentRef]
) -> Iterator[Document | UnreadableDocument]:
    """Read documents of an object store, which gives many at once."""
    left = iter(documents)
    with objects_of(source) as store:
        given = _Given(store)
        loader = _Loader(source, given.read)
        while references := list(islice(left, _TOGETHER)):
            places = [loader.place_of(reference) for reference in references]
            paths = ["/".join(place) for place in places if place != NOWHERE]
            with closing(store.read(paths, source.max_bytes + 1)) as contents:
                for reference, place in zip(references, places, strict=True):
                    if place != NOWHERE:
                        given.content = "/".join(place), next(contents)
                    crash_notes.note(reference[0])
                    yield loader.load(reference)


class _Given:
    """Gives what was asked for beforehand, and asks for the rest.

    Attributes:
        content: A path, and the bytes there or why there are none.
    """

    def __init__(self, store: ProjectObjects) -> None:
        self._store = store
        self.content: tuple[str, bytes | OSError] = "", b""

    def read(self, path: str, max_bytes: int) -> bytes:
        given, content = self.content
        if path != given:
            (content,) = self._store.read([path], max_bytes)
        if isinstance(content, OSError):
            raise content
        return content


class _Loader:
    """Loads documents from their places.

    Args:
        source: The project, and where its storage is.
        read: Gives the bytes at a path, at most so many.
    """

    def __init__(self, source: ProjectDocuments, read: Callable[[str, int], bytes]) -> None:
        self._places = DocumentPaths(source)
        self._documents = DocumentLoader(
            # One more than allowed, so that what is too large is known.
            read=lambda path: read(path, source.max_bytes + 1),
            max_bytes=source.max_bytes,
        )

    def place_of(self, document: DocumentRef) -> DocumentPath:
        """Where a document is."""
        return self._places.of(document)

    def load(self, document: DocumentRef) -> Document | UnreadableDocument:
        """Load a document, or say why it can't be read."""
        try:
            return self._load(document)
        except DocumentUnreadable as error:
            return UnreadableDocument(document[0], error.reason)

    def _load(self, document: DocumentRef) -> Document:
        document_id, content_path = document
        place = self._places.of(document)
        if place == NOWHERE:
            raise DocumentUnreadable("content_path leaves the project's storage", path=content_path)
        try:
            return self._documents.load(document_id, "/".join(place))
        except DocumentUnreadable as error:
            usual = self._places.usual(document_id)
            if error.reason != "missing" or place == usual:
                raise
            return self._documents.load(document_id, "/".join(usual))


class StoredDocuments:
    """Documents of a project, for a build of its index and for those who read it.

    A file that was not written to since has the same stamp, made of its identity, its size and the
    times the kernel keeps. One that was written to a moment ago has none: it may change again and
    keep them. The stamp of an object is made of the tag that its store gives to its content.

    Objects whose names are no ids are looked at by a listing of all their folder, once: what is
    written to them later is seen by another of these.
    """

    def __init__(
        self, source: ProjectDocuments, documents: DocumentRefs | Sequence[DocumentRef]
    ) -> None:
        if not isinstance(documents, DocumentRefs):
            documents = DocumentRefs(documents)
        self._source = source
        self.ids = np.array(documents.ids, dtype=np.int64)
        self._paths = bytes(documents.text)
        self._path_ends = np.array(documents.ends, dtype=np.int64)
        self._places = DocumentPaths(source)
        self._largest_id = max(int(self.ids.max(initial=0)), source.largest_id)
        self._listed: dict[str, Mapping[str, Look]] = {}

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        """See :class:`lexiclass.index.DocumentSource`."""
        places = [*map(self._places.of, self._at(positions))]
        if self._source.is_remote:
            looked = self._look(places)
        else:
            looked = LocalFiles(self._source.root, self._source.project_id).look(places)
        stamps, sizes = np.array(looked, dtype=np.int64).reshape(-1, 2).T
        return Survey(stamps, sizes)

    def _look(self, places: Sequence[DocumentPath]) -> list[Look]:
        names = defaultdict(set)
        for folder, name in places:
            # No store is asked for what can be the name of no document.
            if len(name) <= LONGEST_NAME:
                names[folder].add(name)
        looks: dict[str, Mapping[str, Look]] = {NOWHERE[0]: {}}
        with objects_of(self._source) as store:
            for folder in names.keys() - looks.keys():
                looks[folder] = self._listed.get(folder) or self._look_into(
                    store, folder, sorted(names[folder])
                )
        return [looks.get(folder, {}).get(name, NOTHING) for folder, name in places]

    def _look_into(
        self, store: ProjectObjects, folder: str, names: Sequence[str]
    ) -> Mapping[str, Look]:
        """Ask for some documents of a folder; what is said of all that it holds is kept."""
        planned = plan_listings(
            names, by_prefix=store.lists_by_prefix(), largest_id=self._largest_id
        )
        if planned.prefixes == [""]:
            self._listed[folder] = store.listed(folder)
            return self._listed[folder]
        wanted = set(names)
        looks = dict(store.looked_at(folder, planned.alone)) if planned.alone else {}
        for begin in range(0, len(planned.prefixes), _LISTINGS_TOGETHER):
            listings = planned.prefixes[begin : begin + _LISTINGS_TOGETHER]
            listed = store.listed(folder, listings)
            looks.update((name, listed[name]) for name in wanted & listed.keys())
        return looks

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        """See :class:`lexiclass.index.DocumentSource`."""
        return read_documents(self._source, self._at(positions))

    def note(self, position: int) -> None:
        """Say that a document is parsed from now on; see :mod:`lexiclass_worker.ml.crash_notes`."""
        crash_notes.note(int(self.ids[position]))

    def _at(self, positions: NDArray[np.int64]) -> Iterator[DocumentRef]:
        ids = self.ids[positions].tolist()
        if not self._paths:
            return zip(ids, repeat(None))
        ends = self._path_ends[positions].tolist()
        # Of the first one it is the last element, which is overruled.
        begins = np.where(positions == 0, 0, self._path_ends[positions - 1]).tolist()
        paths = (self._paths[a:b].decode() for a, b in zip(begins, ends, strict=True))
        return zip(ids, paths, strict=True)
