# ruff: noqa: D102 - the indexes say what these are
"""What is asked of an index whose documents are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.index.store.table import DocumentTable
from lexiclass.plugins.base import Tokenizer
from lexiclass.plugins.registry import Registry


class CountedDocuments(Protocol):
    """Documents as counts of terms; see :class:`lexiclass.DocumentIndex`."""

    @property
    def table(self) -> DocumentTable: ...

    @property
    def terms(self) -> Sequence[str]: ...

    def counts(self, rows: NDArray[np.int64] | None = None) -> sparse.csr_array: ...

    def make_tokenizer(
        self, *, registry: Registry | None = None, model_directory: Path | None = None
    ) -> Tokenizer: ...


class EmbeddedDocuments(Protocol):
    """Documents as rows; see :class:`lexiclass.index.embeddings.EmbeddingIndex`."""

    @property
    def table(self) -> DocumentTable: ...

    def embeddings(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]: ...
