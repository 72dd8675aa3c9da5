"""Bringing an index up to date with the documents there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters, NoDocuments
from lexiclass.index.store.index import ManifestT
from lexiclass.index.store.manifest import Publisher
from lexiclass.index.store.source import DocumentSource, Survey, survey, text_sources
from lexiclass.index.store.table import DocumentTable
from lexiclass.io import Document, UnreadableDocument
from lexiclass.stages import Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did.

    Attributes:
        num_documents: Documents in the index now.
        removed: Documents that were in it and are not among those given.
        failed: Documents that could not be read, and why; they are not in the index.
        num_shards: Files the documents are in.
        generation: Counts how often the index was replaced.
        rebuilt_because: Why nothing could be taken over although there was an index; else None.
        stage_seconds: Wall-clock seconds of each stage.
    """

    num_documents: int
    removed: int
    failed: Mapping[int, str]
    num_shards: int
    generation: int
    rebuilt_because: str | None
    stage_seconds: Mapping[str, float]


class Unread(NamedTuple):
    """Documents of a source that have to be read.

    Attributes:
        positions: (n,) in the source.
        stamps: (n,) see :class:`~lexiclass.index.store.source.Survey`.
        sizes: (n,) see there.
        places: (n,) where each is among the known documents, or -1.
        digests: (n, 16) digests that the known ones have.
    """

    positions: NDArray[np.int64]
    stamps: NDArray[np.int64]
    sizes: NDArray[np.int64]
    places: NDArray[np.int64]
    digests: NDArray[np.uint8]

    def take(self, rows: NDArray[np.int64]) -> Unread:
        """Return some of them."""
        return Unread._make(column[rows] for column in self)


class Build(ABC, Generic[ManifestT]):
    """The documents of a build so far."""

    def __init__(self, publisher: Publisher, known: DocumentTable, num_processes: int) -> None:
        self.ids = np.empty(0, np.int64)
        self.failed: dict[int, str] = {}
        self._publisher = publisher
        self._known = known
        self._num_processes = num_processes
        self._tables = [DocumentTable.empty()]

    def read(
        self,
        documents: DocumentSource | Iterable[Document | UnreadableDocument],
        stages: Stages,
        stage: str,
    ) -> None:
        """Take over what is unchanged and make the rest.

        Raises:
            NoDocuments: If none are given.
            InvalidParameters: If an id is given twice or is no integer, or a digest is not what it
                should be.
        """
        # A stream's length is known at its end only.
        total = len(documents.ids) if isinstance(documents, DocumentSource) else 0
        sources = [documents] if isinstance(documents, DocumentSource) else text_sources(documents)
        with stages.run(stage, total) as tell:
            for source in sources:
                self._add(source, lambda done: tell(done, len(self.ids)))
        if not len(self.ids):
            raise NoDocuments("There are no documents to index; add documents first.")

    def publish(self) -> tuple[DocumentTable, ManifestT]:
        """Make the documents given the current generation, and remove what it does not need."""
        table = DocumentTable.joined(self._tables)
        self._publisher.confirm()
        manifest = self._unchanged(table)
        if manifest is None:
            manifest = self._generation(table)
            self._publisher.publish(manifest)
        self._publisher.clean_up(manifest)
        return table, manifest

    def _add(self, source: DocumentSource, tell: Callable[[int], None]) -> None:
        done = len(self.ids)
        self.ids = _note_ids(self.ids, source.ids)
        positions = np.arange(len(source.ids))
        seen = survey(source, positions, num_processes=self._num_processes)
        places = self._known.places_of(source.ids)
        stamps = np.append(self._known.stamps, 0)[places]
        same = (places >= 0) & (stamps != 0) & (stamps == seen.stamps)
        self._take_over(places[same], seen.stamps[same])
        done += int(np.count_nonzero(same))
        tell(done)
        rest = np.flatnonzero(~same)
        seen = Survey(seen.stamps[rest], seen.sizes[rest])
        unread = Unread(positions[rest], *seen, places[rest], self._known.digests_at(places[rest]))
        self._make(source, unread, lambda number: tell(done + number))

    def _take_over(self, places: NDArray[np.int64], stamps: NDArray[np.int64]) -> None:
        self._tables.append(replace(self._known.take(places), stamps=stamps))

    @abstractmethod
    def _make(self, source: DocumentSource, unread: Unread, tell: Callable[[int], None]) -> None:
        """Read documents, write what is new and note their table; tell how many are done."""

    @abstractmethod
    def _unchanged(self, table: DocumentTable) -> ManifestT | None:
        """Return the manifest there is, if it is that of these documents."""

    @abstractmethod
    def _generation(self, table: DocumentTable) -> ManifestT:
        """Write all of a generation but its manifest."""


def _note_ids(known: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ids given so far and more of them, of which none may be given twice."""
    joined = np.concatenate((known, ids))
    if (np.diff(joined) > 0).all():
        return joined  # as databases give them, and much faster than a set
    values, counts = np.unique(joined, return_counts=True)
    if len(values) < len(joined):
        twice = int(values[counts > 1][0])
        raise InvalidParameters(
            f"Document id {twice} was given twice; give every document once.",
            details={"id": twice},
        )
    return joined
