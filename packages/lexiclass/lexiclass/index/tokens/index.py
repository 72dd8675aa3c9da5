"""Reading an index of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.compatibility import check_versions
from lexiclass.errors import ModelCorrupt
from lexiclass.index.similarity.nearest import Neighbour
from lexiclass.index.similarity.terms import SimilaritySearch
from lexiclass.index.store.index import StoredIndex
from lexiclass.index.store.table import DocumentTable, group_by_shard
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.index.tokens.shard import TokenShard
from lexiclass.index.tokens.terms import TERM_ARRAYS, StoredTerms, find_defect
from lexiclass.memmap import MemmapFile
from lexiclass.pipeline import Pipeline
from lexiclass.plugins.base import Tokenizer
from lexiclass.plugins.registry import Registry
from lexiclass.rows import with_sorted_indices
from lexiclass.tokens import StableTerms, TokenMatrix, concatenate

# Below one token in this many terms, only the terms in use are read, one at a time.
_FEW_TOKENS = 8


@dataclass(frozen=True, eq=False)
class DocumentIndex(StoredIndex[IndexManifest, TokenShard]):
    """One generation of an index of tokens; see :class:`StoredIndex`."""

    term_lists: Sequence[StoredTerms]

    manifest_type = IndexManifest

    @classmethod
    def _load(cls, directory: Path, manifest: IndexManifest, table: DocumentTable) -> DocumentIndex:
        shards = [TokenShard(directory, record, manifest.num_terms) for record in manifest.shards]
        term_lists = []
        for record in manifest.terms:
            file = MemmapFile.open(directory / record.name, record.file, TERM_ARRAYS)
            file.verify()
            if len(file.arrays["text_offsets"]) != record.num_terms + 1:
                raise ModelCorrupt(record.name, "holds another number of terms than it should")
            if reason := find_defect(file.arrays):
                raise ModelCorrupt(record.name, reason)
            term_lists.append(StoredTerms(file.arrays))
        return cls(directory, manifest, table, shards, term_lists)

    @cached_property
    def terms(self) -> StableTerms:
        """All terms, in the order of their numbers."""
        return StableTerms(chain.from_iterable(terms.to_list() for terms in self.term_lists))

    def fits(self, pipeline: Pipeline) -> bool:
        """Whether a pipeline tokenizes as this index was made, with the same libraries."""
        spec = pipeline.spec
        configuration = IndexConfiguration(
            tokenizer=spec.tokenizer, locale=spec.locale, params=spec.tokenizer_params
        )
        return pipeline.uses_tokens and self.was_made_by(
            configuration, pipeline.tokenizer_identity()
        )

    def make_tokenizer(
        self, *, registry: Registry | None = None, model_directory: Path | None = None
    ) -> Tokenizer:
        """Return the tokenizer that the documents were split by.

        Args:
            registry: Where it is found; the default one if not given.
            model_directory: The only place a pretrained tokenizer may be read from by path;
                anywhere if not given.

        Raises:
            PluginMismatch: If the installed one would split texts otherwise.
            PluginNotFound: If it does not exist here.
            PluginUnavailable: If what it needs is not installed.
        """
        tokenizer = self.manifest.configuration.make_tokenizer(registry, model_directory)
        check_versions("tokenizer", self.manifest.tokenizer_versions, tokenizer.identity())
        return tokenizer

    def row_with(self, digest: bytes, row: int) -> int:
        """Return the row of a document if it has some content there; -1 otherwise."""
        return row if row >= 0 and self.digests[row].tobytes() == digest else -1

    def digest_of(self, row: int) -> str:
        """Return the digest of a row's content, in hexadecimal."""
        return bytes(self.digests[row]).hex()

    def num_tokens(self, rows: NDArray[np.int64]) -> int:
        """Return how many tokens (n,) rows of the index have together, without reading them."""
        _, groups = group_by_shard(self.table.shards[rows], self.table.rows[rows])
        return sum(int(self.shards[number].lengths[within].sum()) for number, within in groups)

    def tokens(self, rows: NDArray[np.int64] | None = None) -> TokenMatrix:
        """Return all documents as tokens, or (n,) rows of the index in any order, repeated or not.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        rows = np.arange(len(self)) if rows is None else rows
        order, groups = group_by_shard(self.table.shards[rows], self.table.rows[rows])
        parts = [self.shards[number].tokens(within) for number, within in groups]
        tokens = concatenate(parts, ())
        if order is not None:
            tokens = tokens.take(order)
        if len(tokens.ids) * _FEW_TOKENS < self.manifest.num_terms:
            used, ids = np.unique(tokens.ids, return_inverse=True)
            return TokenMatrix(self._some_terms(used), ids.astype(np.int32), tokens.indptr)
        return TokenMatrix(self.terms, tokens.ids, tokens.indptr, partial(self.counts, rows))

    def counts(self, rows: NDArray[np.int64] | None = None) -> sparse.csr_array:
        """Return (n, num_terms) int32 counts of terms; of documents as :meth:`tokens` takes them.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        rows = np.arange(len(self)) if rows is None else rows
        num_terms = self.manifest.num_terms
        order, groups = group_by_shard(self.table.shards[rows], self.table.rows[rows])
        parts = [self.shards[number].counts(within) for number, within in groups]
        if not parts:
            return sparse.csr_array(np.zeros((0, num_terms), dtype=np.int32))
        counts = parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr")
        return with_sorted_indices(sparse.csr_array(counts if order is None else counts[order]))

    @cached_property
    def search(self) -> SimilaritySearch:
        """Finds similar documents, many at a time; it weighs all of them when first asked for.

        Raises:
            ModelCorrupt: If the files were changed.
        """
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

    def _some_terms(self, numbers: NDArray[np.int32]) -> list[str]:
        starts = np.cumsum([0, *map(len, self.term_lists)])
        lists = np.searchsorted(starts, numbers, side="right") - 1
        pairs = zip(lists.tolist(), (numbers - starts[lists]).tolist(), strict=True)
        return [self.term_lists[each][number] for each, number in pairs]
