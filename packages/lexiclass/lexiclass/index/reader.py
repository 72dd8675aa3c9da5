"""Reading an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.checksums import verify_content, verify_sizes
from lexiclass.errors import ModelCorrupt
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.manifest import IndexManifest, read_index_manifest
from lexiclass.serialization import Arrays, read_arrays, read_terms
from lexiclass.spec import PipelineSpec
from lexiclass.tokens import TokenMatrix

#: Bytes of a document's digest.
DIGEST_BYTES = 16

_ARRAYS: dict[str, tuple[type[np.generic], int]] = {
    "ids": (np.int64, 1),
    "digests": (np.uint8, 2),
    "indptr": (np.int64, 1),
    "tokens": (np.int32, 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class DocumentIndex:
    """One generation of an index, in memory.

    Attributes:
        directory: Where it was read from.
        manifest: Its description.
        ids: (num_documents,) document ids, ascending.
        digests: (num_documents, 16) digests of the documents' content.
        tokens: The documents as tokens, in the same order.
    """

    directory: Path
    manifest: IndexManifest
    ids: NDArray[np.int64]
    digests: NDArray[np.uint8]
    tokens: TokenMatrix

    @classmethod
    def open(cls, directory: Path) -> DocumentIndex:
        """Read the current generation. Sizes and ranges are checked, contents by :meth:`verify`.

        Raises:
            ModelCorrupt: If a file is missing, has another size, or is not understood.
            PluginMismatch: If a newer version of this library wrote it.
        """
        manifest = read_index_manifest(directory)
        while True:
            try:
                return cls._read(directory, manifest)
            except ModelCorrupt:
                # A build that finished meanwhile has removed the files: then there is a newer
                # generation. Otherwise they are really gone.
                newer = read_index_manifest(directory)
                if newer.generation == manifest.generation:
                    raise
                manifest = newer

    @classmethod
    def _read(cls, directory: Path, manifest: IndexManifest) -> DocumentIndex:
        verify_sizes(directory, manifest.files)
        arrays = read_arrays(directory / manifest.documents_file, _ARRAYS)
        terms = read_terms(directory / manifest.terms_file)
        defect = _defect(arrays, manifest, len(terms))
        if defect is not None:
            raise ModelCorrupt(manifest.documents_file, defect)
        tokens = TokenMatrix(terms, arrays["tokens"], arrays["indptr"])
        return cls(directory, manifest, arrays["ids"], arrays["digests"], tokens)

    def __len__(self) -> int:
        return len(self.ids)

    def verify(self) -> None:
        """Check every byte of the files against their checksums.

        Raises:
            ModelCorrupt: Naming the first file that was changed.
        """
        verify_content(self.directory, self.manifest.files)

    def fits(self, spec: PipelineSpec) -> bool:
        """Whether a pipeline tokenizes as this index does; its spec must be validated."""
        return self.manifest.configuration == IndexConfiguration(
            tokenizer=spec.tokenizer, locale=spec.locale, params=spec.tokenizer_params
        )

    def counts(self) -> sparse.csr_array:
        """Return (num_documents, num_terms) int32 counts of terms."""
        return self.tokens.counts()

    def rows_of(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of every document id, or -1 where it is not in the index."""
        wanted = np.asarray(ids, dtype=np.int64)
        rows = np.searchsorted(self.ids, wanted)
        found = np.append(self.ids, 0)[rows] == wanted
        return np.where(found & (rows < len(self.ids)), rows, -1)

    def digest_of(self, row: int) -> str:
        """Return the digest of a row's content, in hexadecimal."""
        return bytes(self.digests[row]).hex()


def _defect(arrays: Arrays, manifest: IndexManifest, num_terms: int) -> str | None:
    ids, indptr, tokens = arrays["ids"], arrays["indptr"], arrays["tokens"]
    if arrays["digests"].shape != (len(ids), DIGEST_BYTES) or len(indptr) != len(ids) + 1:
        return "not one digest and one row per document"
    if (len(ids), num_terms, len(tokens)) != (
        manifest.num_documents,
        manifest.num_terms,
        manifest.num_tokens,
    ):
        return "holds other numbers of documents, terms and tokens than the manifest says"
    if (np.diff(ids) <= 0).any():
        return "document ids are not ascending"
    if indptr[0] != 0 or indptr[-1] != len(tokens) or (np.diff(indptr) < 0).any():
        return "rows do not cover the tokens"
    if len(tokens) and (tokens.min() < 0 or tokens.max() >= num_terms):
        return "a token is not in the vocabulary"
    return None
