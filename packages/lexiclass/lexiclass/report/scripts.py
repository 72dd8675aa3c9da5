"""What a text is written in, as far as its characters tell."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Final

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


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "other")
    if name.startswith(("FULLWIDTH", "HALFWIDTH")):
        name = name.partition(" ")[2]
    word = name.partition(" ")[0]
    return _NAMES.get(word, word.capitalize())
