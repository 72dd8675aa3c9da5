"""Reading an index of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.index.embeddings.compaction import gather
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.embeddings.shard import EmbeddingShard
from lexiclass.index.similarity.embeddings import EmbeddingSearch
from lexiclass.index.similarity.nearest import Neighbour
from lexiclass.index.store.index import StoredIndex
from lexiclass.index.store.table import DocumentTable
from lexiclass.plugins.base import EmbeddingExtractor


@dataclass(frozen=True, eq=False)
class EmbeddingIndex(StoredIndex[EmbeddingManifest, EmbeddingShard]):
    """One generation of an index of embeddings; see :class:`StoredIndex`."""

    manifest_type = EmbeddingManifest

    @classmethod
    def _load(
        cls, directory: Path, manifest: EmbeddingManifest, table: DocumentTable
    ) -> EmbeddingIndex:
        shards = [
            EmbeddingShard(directory, record, manifest.dimension) for record in manifest.shards
        ]
        return cls(directory, manifest, table, shards)

    def fits(self, feature_extractor: str, embedder: EmbeddingExtractor) -> bool:
        """Whether a feature extractor, by its name, computes as this index was made."""
        configuration = EmbeddingConfiguration.of(feature_extractor, embedder)
        return self.was_made_by(configuration, embedder.versions())

    def row_with(self, digest: bytes, row: int = -1) -> int:
        """Return a row with some content, whichever document has it; -1 if there is none."""
        del row
        return self._rows_by_digest.get(digest, -1)

    @cached_property
    def _rows_by_digest(self) -> dict[bytes, int]:
        return {digest.tobytes(): row for row, digest in enumerate(self.table.digests)}

    def embeddings(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return all (n, dimension) embeddings, or those of rows in any order, repeated or not.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        return gather(self.shards, self.table if rows is None else self.table.take(rows))

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
        return EmbeddingSearch(self)
