"""Lists of terms on disk, read one at a time or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lexiclass.memmap import Shape
from lexiclass.tokens import offsets

# Between terms, so that all of them can be split in one call. A term that holds one is still
# found by its offset.
_SEPARATOR = "\n"

# What a tokenizer of another package may produce is kept as it is.
_ERRORS = "surrogatepass"

#: The arrays a list is stored in.
TERM_ARRAYS: dict[str, Shape] = {"text": ((np.uint8,), 1), "text_offsets": ((np.int64,), 1)}


def find_defect(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """Return why arrays of these types are no list of terms, if they are none."""
    starts = arrays["text_offsets"]
    if not len(starts) or starts[0] != 0 or (starts[1:] <= starts[:-1]).any():
        return "the terms do not follow each other"
    if max(int(starts[-1]) - 1, 0) != len(arrays["text"]):
        return "the terms do not cover the text"
    text, inner = arrays["text"], starts[1:-1]
    if (text[inner - 1] != ord(_SEPARATOR)).any():
        return "the terms are not apart"
    try:
        text.tobytes().decode("utf-8", _ERRORS)
    except UnicodeDecodeError as error:
        return f"the terms are not UTF-8 ({error})"
    return None


def encode_terms(terms: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays that :class:`StoredTerms` reads: ``text`` and ``text_offsets``."""
    text = _SEPARATOR.join(terms).encode("utf-8", _ERRORS)
    lengths = np.fromiter(map(len, terms), dtype=np.int64, count=len(terms))
    if len(text) != lengths.sum() + max(len(terms) - 1, 0):  # not all of them ASCII
        encoded = (len(term.encode("utf-8", _ERRORS)) for term in terms)
        lengths = np.fromiter(encoded, dtype=np.int64, count=len(terms))
    return {"text": np.frombuffer(text, dtype=np.uint8), "text_offsets": offsets(lengths + 1)}


class StoredTerms(Sequence[str]):
    """Terms in the order of their numbers.

    Args:
        arrays: ``text``, all terms as UTF-8 with one byte between them; ``text_offsets``,
            (n + 1,) where each begins, and where one more would.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._text = arrays["text"]
        self._offsets = arrays["text_offsets"]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        """Return a term, or several."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        begin, end = self._offsets[number], self._offsets[number + 1] - 1
        return self._text[begin:end].tobytes().decode("utf-8", _ERRORS)

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_list())

    def to_list(self) -> list[str]:
        """Return all of them."""
        if not len(self):
            return []
        terms = self._text.tobytes().decode("utf-8", _ERRORS).split(_SEPARATOR)
        return terms if len(terms) == len(self) else self[:]
