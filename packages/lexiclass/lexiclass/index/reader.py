"""Reading an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.compatibility import check_versions
from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.manifest import IndexManifest
from lexiclass.index.shard import Shard
from lexiclass.index.table import DocumentTable, read_table
from lexiclass.index.terms import TERM_ARRAYS, StoredTerms, find_defect
from lexiclass.mapped import MappedFile
from lexiclass.pipeline import Pipeline
from lexiclass.tokens import StableTerms, TokenMatrix, concatenate

if TYPE_CHECKING:
    from lexiclass.index.nearest import Neighbour
    from lexiclass.index.similarity import SimilaritySearch

# Below one token in this many terms, only the terms in use are read, one at a time.
_FEW_TOKENS = 8


@dataclass(frozen=True, eq=False)
class DocumentIndex:
    """One generation of an index. Its files are mapped into memory, not read.

    Builds go on beside it; it stays what it was when it was opened.

    Attributes:
        directory: Where it was read from.
        manifest: Its description.
        table: Which documents it holds.
        shards: Their tokens.
        terms: The terms, in the order of their numbers.
    """

    directory: Path
    manifest: IndexManifest
    table: DocumentTable
    shards: Sequence[Shard]
    term_lists: Sequence[StoredTerms]

    @classmethod
    def open(cls, directory: Path) -> DocumentIndex:
        """Open the current generation.

        The lists of documents and terms are checked now, a shard's content when it is first read.

        Raises:
            ModelCorrupt: If a file is missing, has another size, or is not understood.
            PluginMismatch: If a newer version of this library wrote it.
        """
        manifest = IndexManifest.read(directory)
        while True:
            try:
                return cls._open(directory, manifest)
            except ModelCorrupt:
                # A build that finished meanwhile has removed the files: then there is a newer
                # generation. Otherwise they are really gone.
                newer = IndexManifest.read(directory)
                if newer == manifest:
                    raise
                manifest = newer

    @classmethod
    def _open(cls, directory: Path, manifest: IndexManifest) -> DocumentIndex:
        sizes = [record.num_documents for record in manifest.shards]
        table = read_table(directory, manifest.documents, sizes)
        shards = [Shard(directory, record, manifest.num_terms) for record in manifest.shards]
        term_lists = []
        for record in manifest.terms:
            file = MappedFile.open(directory / record.name, record.file, TERM_ARRAYS)
            file.verify()
            if len(file.arrays["text_offsets"]) != record.num_terms + 1:
                raise ModelCorrupt(record.name, "holds another number of terms than it should")
            if reason := find_defect(file.arrays):
                raise ModelCorrupt(record.name, reason)
            term_lists.append(StoredTerms(file.arrays))
        return cls(directory, manifest, table, shards, term_lists)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> NDArray[np.int64]:
        """(num_documents,) document ids, ascending."""
        return self.table.ids

    @property
    def digests(self) -> NDArray[np.uint8]:
        """(num_documents, 16) digests of the documents' content."""
        return self.table.digests

    @cached_property
    def terms(self) -> StableTerms:
        """All terms, in the order of their numbers."""
        return StableTerms(chain.from_iterable(terms.to_list() for terms in self.term_lists))

    def verify(self) -> None:
        """Check every byte of the files against their checksums.

        Raises:
            ModelCorrupt: Naming the first file that was changed.
        """
        for shard in self.shards:
            shard.verify()

    def fits(self, pipeline: Pipeline) -> bool:
        """Whether a pipeline tokenizes as this index was made, with the same libraries."""
        spec = pipeline.spec
        configuration = IndexConfiguration(
            tokenizer=spec.tokenizer, locale=spec.locale, params=spec.tokenizer_params
        )
        if not pipeline.uses_tokens or self.manifest.configuration != configuration:
            return False
        try:
            check_versions(
                "tokenizer", self.manifest.tokenizer_versions, pipeline.tokenizer_identity()
            )
        except PluginMismatch:
            return False
        return True

    def rows_of(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of every document id, or -1 where it is not in the index."""
        return self.table.places_of(np.asarray(ids, dtype=np.int64))

    def digest_of(self, row: int) -> str:
        """Return the digest of a row's content, in hexadecimal."""
        return bytes(self.digests[row]).hex()

    def num_tokens(self, rows: NDArray[np.int64]) -> int:
        """Return how many tokens some documents have together, without reading them.

        Args:
            rows: (n,) rows of the index.
        """
        _, groups = self._by_shard(rows)
        return sum(int(shard.lengths[within].sum()) for shard, within in groups)

    def tokens(self, rows: NDArray[np.int64] | None = None) -> TokenMatrix:
        """Return documents as tokens, by default all of them.

        Args:
            rows: (n,) rows of the index, in any order, repeated or not.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        rows = np.arange(len(self)) if rows is None else rows
        order, groups = self._by_shard(rows)
        parts = [shard.tokens(within) for shard, within in groups]
        tokens = concatenate(parts, ())
        if order is not None:
            tokens = tokens.take(order)
        if len(tokens.ids) * _FEW_TOKENS < self.manifest.num_terms:
            used, ids = np.unique(tokens.ids, return_inverse=True)
            return TokenMatrix(self._some_terms(used), ids.astype(np.int32), tokens.indptr)
        return TokenMatrix(self.terms, tokens.ids, tokens.indptr, partial(self.counts, rows))

    def counts(self, rows: NDArray[np.int64] | None = None) -> sparse.csr_array:
        """Return (n, num_terms) int32 counts of terms, by default of all documents.

        Args:
            rows: (n,) rows of the index, in any order, repeated or not.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        rows = np.arange(len(self)) if rows is None else rows
        num_terms = self.manifest.num_terms
        order, groups = self._by_shard(rows)
        parts = [shard.counts(within) for shard, within in groups]
        if not parts:
            return sparse.csr_array(np.zeros((0, num_terms), dtype=np.int32))
        counts = parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr")
        counts = sparse.csr_array(counts if order is None else counts[order])
        counts.sort_indices()
        return counts

    @cached_property
    def search(self) -> SimilaritySearch:
        """Finds similar documents, many at a time; it weighs all of them when first asked for.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        from lexiclass.index.similarity import SimilaritySearch  # noqa: PLC0415 - it reads indexes

        return SimilaritySearch(self)

    def similar(
        self, document: int | str, k: int = 10, *, model_directory: Path | None = None
    ) -> list[Neighbour]:
        """Return the documents most like one of the index, or like a text, the best first.

        Args:
            document: The id of one, which is left out; or any text.
            k: Most documents.
            model_directory: The only place a pretrained tokenizer may be read from by path;
                anywhere if not given.

        Raises:
            InvalidParameters: If the document is not in the index, or k below 1.
            PluginMismatch: If the installed tokenizer would split the text otherwise.
            ModelCorrupt: If the files were changed.
        """
        if isinstance(document, str):
            return self.search.by_texts([document], limit=k, model_directory=model_directory)[0]
        return self.search.by_ids([document], limit=k)[0]

    def _by_shard(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64] | None, list[tuple[Shard, NDArray[np.int64]]]]:
        """Group rows by shard; the order takes the groups back to the rows, None if it need not."""
        shards, within = self.table.shards[rows], self.table.rows[rows].astype(np.int64)
        grouped = np.argsort(shards, kind="stable")
        ends = np.cumsum(np.bincount(shards, minlength=len(self.shards)))
        places = np.split(grouped, ends)[: len(self.shards)]
        groups = [
            (shard, within[of_shard])
            for shard, of_shard in zip(self.shards, places, strict=True)
            if len(of_shard)
        ]
        if np.array_equal(grouped, np.arange(len(rows))):
            return None, groups
        order = np.empty(len(rows), dtype=np.int64)
        order[grouped] = np.arange(len(rows))
        return order, groups

    def _some_terms(self, numbers: NDArray[np.int32]) -> list[str]:
        starts = np.cumsum([0, *map(len, self.term_lists)])
        lists = np.searchsorted(starts, numbers, side="right") - 1
        pairs = zip(lists.tolist(), (numbers - starts[lists]).tolist(), strict=True)
        return [self.term_lists[each][number] for each, number in pairs]
