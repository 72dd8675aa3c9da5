"""Names without what nobody sees around them."""

from __future__ import annotations

import unicodedata
from typing import Final

# Marks of the direction of writing, which spreadsheets add to Arabic and Hebrew, byte order marks,
# and what says where a line may be broken. Joiners are none of them: they are part of words and
# emoji, also at their ends.
_MARKS: Final = (
    "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b\u2060"
)
_AROUND: Final = _MARKS + "".join(filter(str.isspace, map(chr, range(0x3001))))
# They tell flags apart.
_TAGS: Final = range(0xE0020, 0xE0080)


def bare(name: str) -> str:
    """A name without blanks and marks at its ends that are not seen."""
    return name.strip(_AROUND)


def without_formats(name: str) -> str:
    """A name as it is seen: without characters that are none, wherever they stand."""
    if name.isascii():
        return name
    return "".join(
        character
        for character in name
        if unicodedata.category(character) != "Cf" or ord(character) in _TAGS
    )
