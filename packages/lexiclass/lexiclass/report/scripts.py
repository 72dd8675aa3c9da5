"""What a text is written in, as far as its characters tell."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from scipy import sparse

_LOOKED_AT: Final = 500

_NAMES: Final = {"CJK": "Han", "HIRAGANA": "Japanese", "KATAKANA": "Japanese"}

# Of Japanese most characters may be Han, and of no other language any is kana.
_ENOUGH_KANA: Final = 0.05


def script_of(text: str) -> str | None:
    """Name the script of most letters at a text's beginning; None if there are none.

    Names are those of the Unicode Standard; Han with kana among it is Japanese.
    """
    beginning = text[:_LOOKED_AT]
    if beginning.isascii():
        return "Latin" if any(map(str.isalpha, beginning)) else None
    letters = Counter(map(_script, filter(str.isalpha, beginning)))
    if not letters:
        return None
    if letters["Japanese"] > _ENOUGH_KANA * letters.total():
        letters["Japanese"] += letters.pop("Han", 0)
    return letters.most_common(1)[0][0]


def scripts_of(counts: sparse.csr_array, terms: Sequence[str]) -> list[str | None]:
    """Name the script of most of the m terms of each of n documents; see :func:`script_of`."""
    used, numbers = np.unique(counts.indices, return_inverse=True)
    found = [script_of(terms[term]) for term in used.tolist()]
    names = sorted({name for name in found if name is not None} | {"Han", "Japanese"})
    place = {name: number for number, name in enumerate([*names, None])}
    of_terms = np.array([place[name] for name in found], dtype=np.intp)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    cells = rows * len(place) + of_terms[numbers]
    totals = np.bincount(cells, weights=counts.data, minlength=counts.shape[0] * len(place))
    totals = totals.reshape(counts.shape[0], len(place))[:, :-1]
    han, japanese = totals[:, place["Han"]], totals[:, place["Japanese"]]
    is_japanese = japanese > _ENOUGH_KANA * totals.sum(axis=1)
    japanese[is_japanese] += han[is_japanese]
    han[is_japanese] = 0
    chosen = np.where(totals.any(axis=1), totals.argmax(axis=1), -1)
    return [None if number < 0 else names[number] for number in chosen.tolist()]


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "other")
    if name.startswith(("FULLWIDTH", "HALFWIDTH")):
        name = name.partition(" ")[2]
    word = name.partition(" ")[0]
    return _NAMES.get(word, word.capitalize())
