"""UTF-16 without a byte order mark, told by the script that it is written in.

Text without ASCII has no NULs in UTF-16, or few. What it has is characters that belong together:
those of one alphabet share their high byte, which is a control character in any other encoding.
Chinese and Japanese, and Korean syllables, are told from pairs of Latin letters by characters that
the national standards have as the frequent ones.
"""

from __future__ import annotations

import codecs
import string
import unicodedata
from collections import Counter
from typing import Final

_SAMPLE_BYTES: Final = 2**13
_FEWEST_LETTERS: Final = 4
_MOST_OTHERS: Final = 0.5
_SHARE: Final = 0.9
_ASCII_LETTERS: Final = string.ascii_letters.encode()
_SPACES: Final = frozenset("\t\n\v\f\r")
# Codec, and the last first byte of the characters it has for frequent use: GB 2312, JIS X 0208 and
# Big5 have them at their first level; all syllables of KS X 1001 are frequent.
_FREQUENT: Final = (("gb2312", 0xD7), ("euc_jp", 0xCF), ("big5", 0xC6), ("euc_kr", 0xC8))


def unmarked_utf16(data: bytes) -> str | None:
    """Return the byte order, as Python's name of the encoding, in which bytes are UTF-16 text.

    Returns:
        None where they are no UTF-16, or have too few characters beyond ASCII to say so.
    """
    sample = data[:_SAMPLE_BYTES]
    if len(data) % 2 or _is_mostly_ascii(sample):
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
        if _is_of_one_script(text):
            return encoding
    return None


def _is_of_one_script(text: str) -> bool:
    if any(unicodedata.category(each) in {"Cc", "Cn", "Co"} for each in {*text} - _SPACES):
        return False
    letters = [each for each in text if _counts(each)]
    if len(letters) < max(_FEWEST_LETTERS, len(text) * _MOST_OTHERS):
        return False
    ((high, count),) = Counter(map(_script, letters)).most_common(1)
    if count < len(letters) * _SHARE:
        return False
    return high < 0x20 or (high == _EAST_ASIAN and _are_frequent(letters))


def _is_mostly_ascii(data: bytes) -> bool:
    return len(data) - len(data.translate(None, _ASCII_LETTERS)) > len(data) * _MOST_OTHERS


def _counts(character: str) -> bool:
    """Whether a character is beyond what texts of all scripts have."""
    return character > "\xbf" and not "\u2000" <= character <= "\u206f"


_EAST_ASIAN: Final = 0x4E


def _script(character: str) -> int:
    high = ord(character) >> 8
    return _EAST_ASIAN if high in {0x30, 0xFF} or 0x4E <= high <= 0xD7 else high


def _are_frequent(letters: list[str]) -> bool:
    return any(
        sum(_is_frequent(each, codec, last) for each in letters) >= len(letters) * _SHARE
        for codec, last in _FREQUENT
    )


def _is_frequent(character: str, codec: str, last: int) -> bool:
    if character < "\u4e00" or character > "\ud7a3":  # kana, punctuation and wide forms
        return True
    encoded = character.encode(codec, errors="ignore")
    return len(encoded) == 2 and encoded[0] <= last
