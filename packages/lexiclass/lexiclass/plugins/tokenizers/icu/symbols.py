"""Which segments between word boundaries are symbols, by Unicode's general categories (UAX #44)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

# Emoji, dingbats, arrows: a picture means the same whatever stands beside it.
_PICTURE = "So"

# Punctuation, and what is drawn with it: signs of mathematics, currencies and accents.
_MARKS = frozenset({"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm"})


def join_marks(segments: Iterable[str]) -> Iterator[str]:
    """Join the punctuation marks that stand together, which UAX #29 breaks apart.

    ``:``, ``-``, ``)`` come out as ``:-)``; words, blanks and pictures as they are.
    """
    run = ""
    for segment in segments:
        if len(segment) == 1 and unicodedata.category(segment) in _MARKS:
            run += segment
            continue
        if run:
            yield run
            run = ""
        yield segment
    if run:
        yield run


def is_symbol(segment: str) -> bool:
    """Whether a segment is a picture, another symbol, or a run of punctuation marks.

    A single punctuation mark, such as a full stop, is none.
    """
    categories = [unicodedata.category(character) for character in segment]
    if _PICTURE in categories:
        return True
    only_marks = all(category in _MARKS for category in categories)
    return only_marks and (len(categories) > 1 or categories[0].startswith("S"))
