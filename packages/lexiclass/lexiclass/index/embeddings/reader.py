"""Reading an index of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexiclass.compatibility import check_versions
from lexiclass.errors import InvalidParameters, ModelCorrupt, PluginMismatch
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.embeddings.shard import EmbeddingShard
from lexiclass.index.table import DocumentTable, read_table
from lexiclass.plugins.base import EmbeddingExtractor

if TYPE_CHECKING:
    from lexiclass.index.embeddings.search import EmbeddingSearch
    from lexiclass.index.nearest import Neighbour


@dataclass(frozen=True, eq=False)
class EmbeddingIndex:
    """One generation of an index of embeddings. Its files are mapped into memory, not read.

    Builds go on beside it; it stays what it was when it was opened.

    Attributes:
        directory: Where it was read from.
        manifest: Its description.
        table: Which documents it holds.
        shards: Their embeddings.
    """

    directory: Path
    manifest: EmbeddingManifest
    table: DocumentTable
    shards: Sequence[EmbeddingShard]

    @classmethod
    def open(cls, directory: Path) -> EmbeddingIndex:
        """Open the current generation.

        The list of documents is checked now, a shard's content when it is first read.

        Raises:
            ModelCorrupt: If a file is missing, has another size, or is not understood.
            PluginMismatch: If a newer version of this library wrote it.
        """
        manifest = EmbeddingManifest.read(directory)
        while True:
            try:
                return cls._open(directory, manifest)
            except ModelCorrupt:
                # As with an index of tokens: a build may have finished meanwhile.
                newer = EmbeddingManifest.read(directory)
                if newer == manifest:
                    raise
                manifest = newer

    @classmethod
    def _open(cls, directory: Path, manifest: EmbeddingManifest) -> EmbeddingIndex:
        sizes = [record.num_embeddings for record in manifest.shards]
        table = read_table(directory, manifest.documents, sizes)
        shards = [
            EmbeddingShard(directory, record, manifest.dimension) for record in manifest.shards
        ]
        return cls(directory, manifest, table, shards)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> NDArray[np.int64]:
        """(num_documents,) document ids, ascending."""
        return self.table.ids

    def verify(self) -> None:
        """Check every byte of the files against their checksums.

        Raises:
            ModelCorrupt: Naming the first file that was changed.
        """
        for shard in self.shards:
            shard.verify()

    def fits(self, feature_extractor: str, embedder: EmbeddingExtractor) -> bool:
        """Whether a feature extractor, by its name, computes as this index was made."""
        configuration = EmbeddingConfiguration.of(feature_extractor, embedder)
        if self.manifest.configuration != configuration:
            return False
        try:
            check_versions("feature extractor", self.manifest.versions, embedder.versions())
        except PluginMismatch:
            return False
        return True

    def rows_of(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of every document id, or -1 where it is not in the index."""
        return self.table.places_of(np.asarray(ids, dtype=np.int64))

    def row_with(self, digest: bytes) -> int:
        """Return a row with some content by its digest; -1 if there is none."""
        return self._rows_by_digest.get(digest, -1)

    @cached_property
    def _rows_by_digest(self) -> dict[bytes, int]:
        return {digest.tobytes(): row for row, digest in enumerate(self.table.digests)}

    def embeddings(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return (n, dimension) embeddings of documents, by default of all of them.

        Args:
            rows: (n,) rows of the index, in any order, repeated or not.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        table = self.table if rows is None else self.table.take(rows)
        found = np.empty((len(table), self.manifest.dimension), dtype=np.float32)
        for number in np.unique(table.shards).tolist():
            here = table.shards == number
            found[here] = self.shards[number].embeddings[table.rows[here]]
        return found

    def similar(
        self, document: int | str, k: int = 10, *, embedder: EmbeddingExtractor | None = None
    ) -> list[Neighbour]:
        """Return the documents most like one of the index, or like a text, the best first.

        Args:
            document: The id of one, which is left out; or any text.
            k: Most documents.
            embedder: Computes the embedding of a text; an id needs none.

        Raises:
            InvalidParameters: If the document is not in the index, k is below 1, or a text is given
                without a feature extractor that computes as this index was made.
            ModelCorrupt: If the files were changed.
        """
        if not isinstance(document, str):
            return self.search.by_ids([document], limit=k)[0]
        name = self.manifest.configuration.feature_extractor
        if embedder is None or not self.fits(name, embedder):
            raise InvalidParameters(
                f"The index in {str(self.directory)!r} was made by {name!r} with other parameters, "
                "another encoder or other versions of its libraries: give the feature extractor "
                "that made it, or index again."
            )
        return self.search.by_embeddings(embedder.transform([document]), limit=k)[0]

    @cached_property
    def search(self) -> EmbeddingSearch:
        """Finds similar documents, many at a time; it reads all of them when first asked for.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        from lexiclass.index.embeddings.search import EmbeddingSearch  # noqa: PLC0415 - a cycle

        return EmbeddingSearch(self)
