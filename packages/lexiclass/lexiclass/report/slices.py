"""Kinds of test documents that are predicted better or worse than the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lexiclass.report.class_figures import at, estimate
from lexiclass.report.intervals import shares_by
from lexiclass.report.model import Slice
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.paired import holm

FEWEST_DOCUMENTS: Final = 10
"""Of a kind, and of all others, for it to be looked at."""

_MAX_VALUES: Final = 50
"""Values looked at of what documents have in common: those of the most documents."""

_MAX_CHARACTERS: Final = 200
_LENGTH_BINS: Final = 5
# Upper ends of shares of words that the model does not know.
_NEW_WORDS: Final = (0.0, 0.05, 0.1, 0.25, 1.0)

#: (n,) number of each document's value, -1 for none; and the values.
Column = tuple[NDArray[np.intp], Sequence[str]]


class _Kind(NamedTuple):
    by: str
    value: str
    rows: NDArray[np.intp]


def slices_of(
    outcomes: Outcomes,
    *,
    columns: Mapping[str, Sequence[str | None]],
    lengths: NDArray[np.int64] | None = None,
    groups: NDArray[np.intp] | None = None,
) -> list[Slice]:
    """Hold each kind of documents against all others.

    By Fisher's exact test, of one document a group of near-duplicates, with Holm's correction over
    all kinds.

    Args:
        outcomes: Of the n test documents.
        columns: What documents may have in common: its name, and n values; None for a document
            without one.
        lengths: (n,) characters of each document; its words count where that is not given.
        groups: (n,) number of each one's group of near-duplicates; None if all differ.

    Returns:
        Those that differ first.
    """
    kinds = list(_kinds(outcomes, columns, lengths))
    is_first = np.ones(len(outcomes), dtype=np.bool_)
    if groups is not None:
        is_first[:] = False
        is_first[np.unique(groups, return_index=True)[1]] = True
    found, is_right = [], outcomes.is_right
    p_values = holm(np.array([_p_value(is_right, is_first, kind.rows) for kind in kinds]))
    for kind, p_value in zip(kinds, p_values.tolist(), strict=True):
        is_in = np.zeros(len(outcomes), dtype=np.intp)
        is_in[kind.rows] = 1
        shares = shares_by(is_in, is_right, 2, groups)
        value, rest = (float(shares.hits[side] / shares.trials[side]) for side in (1, 0))
        found.append(
            Slice(
                by=kind.by,
                value=kind.value,
                num_documents=len(kind.rows),
                accuracy=estimate(value, at(shares.intervals, 1)),
                rest=rest,
                p_value=p_value,
                differs=p_value < 0.05,
            )
        )
    return sorted(found, key=lambda each: not each.differs)


def _kinds(
    outcomes: Outcomes,
    columns: Mapping[str, Sequence[str | None]],
    lengths: NDArray[np.int64] | None,
) -> Iterator[_Kind]:
    """Yield what enough documents are, and enough are not."""
    for by, (codes, values) in _all_columns(outcomes, columns, lengths):
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        largest = np.argsort(-counts, kind="stable")[:_MAX_VALUES]
        for code in np.sort(largest).tolist():
            if FEWEST_DOCUMENTS <= counts[code] <= len(codes) - FEWEST_DOCUMENTS:
                rows = np.flatnonzero(codes == code)
                yield _Kind(by, values[code][:_MAX_CHARACTERS], rows)


def _all_columns(
    outcomes: Outcomes,
    columns: Mapping[str, Sequence[str | None]],
    lengths: NDArray[np.int64] | None,
) -> Iterator[tuple[str, Column]]:
    if lengths is not None:
        yield "length", _by_length(lengths, "characters")
    elif outcomes.num_words is not None:
        yield "length", _by_length(outcomes.num_words, "words")
    if outcomes.num_words is not None and outcomes.known_words is not None:
        yield "new_words", _by_new_words(outcomes.num_words, outcomes.known_words)
    for by, given in columns.items():
        values = sorted({value for value in given if value is not None})
        numbers = {value: number for number, value in enumerate(values)}
        codes = [-1 if value is None else numbers[value] for value in given]
        yield by, (np.array(codes, dtype=np.intp), values)


def _by_length(lengths: NDArray[np.int64], unit: str) -> Column:
    """Divide documents into some of equal number, equally long ones together."""
    ends = np.quantile(
        lengths, np.arange(1, _LENGTH_BINS + 1) / _LENGTH_BINS, method="inverted_cdf"
    )
    ends = np.unique(ends)
    starts = [int(lengths.min()), *(int(end) + 1 for end in ends[:-1])]
    names = [
        f"{start:,} {unit}" if start == end else f"{start:,} to {int(end):,} {unit}"
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.searchsorted(ends, lengths), names


def _by_new_words(words: NDArray[np.int64], known: NDArray[np.int64]) -> Column:
    new = 1 - np.minimum(known, words) / np.maximum(words, 1)
    codes = np.searchsorted(_NEW_WORDS, new)
    codes[words == 0] = -1
    names = ["none", *(f"up to {end:.0%}" for end in _NEW_WORDS[1:-1]), "more"]
    return codes, names


def _p_value(
    is_right: NDArray[np.bool_], is_first: NDArray[np.bool_], rows: NDArray[np.intp]
) -> float:
    is_in = np.zeros(len(is_right), dtype=np.intp)
    is_in[rows] = 1
    cells = 2 * is_in[is_first] + is_right[is_first]
    return float(stats.fisher_exact(np.bincount(cells, minlength=4).reshape(2, 2)).pvalue)
