"""What a classifier is told of its training documents beside their rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.folds import Keys
from lexiclass.labels import Labels
from lexiclass.near_duplicates import content_keys, text_keys, token_keys
from lexiclass.near_embeddings import embedding_keys
from lexiclass.tokens import TokenMatrix

#: Turns rows into what they would be for a feature extractor that has learned of less.
Relearn: TypeAlias = Callable[[Any], Any]


def _as_they_are(kept: NDArray[np.bool_]) -> Relearn:
    del kept
    return lambda rows: rows


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows of n training documents, and how they would look otherwise.

    Attributes:
        rows: (n, m) features; texts, where a classifier reads those.
        relearned: Called with (n,) whether a document is kept: returns what turns rows of the
            feature extractor into those of one that has learned from the documents kept alone.
            A document that was held out of a training only from there on has had its say before,
            in the vocabulary and in the weights.
        shortened: Called with the numbers of some documents and a number of words: returns the rows
            of these documents cut to so many first words. ``None`` where there are no words to cut.
        compared: By what near-duplicates are told, where rows do not tell them.
        are_embeddings: Whether rows are those of an encoder of whole texts, which tell them by
            where they lie.
        left_out: Classes of further documents, which have no token and teach nothing but how often
            a class is.
    """

    rows: Any
    relearned: Callable[[NDArray[np.bool_]], Relearn] = _as_they_are
    shortened: Callable[[NDArray[np.intp], int], Any] | None = None
    compared: TokenMatrix | None = None
    are_embeddings: bool = False
    left_out: Labels = ()

    @cached_property
    def keys(self) -> Keys:
        """(n,) numbers that are equal for documents that are the same or nearly so."""
        if self.compared is not None:
            return token_keys(self.compared)
        if self.are_embeddings:
            return embedding_keys(self.rows)
        return content_keys(self.rows) if hasattr(self.rows, "shape") else text_keys(self.rows)
