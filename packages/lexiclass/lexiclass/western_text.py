"""What no Western text has where it stands: signs of bytes that were read in a wrong code page."""

from __future__ import annotations

import unicodedata
from typing import Final

# Of the letters of Windows-1252, those that few Western languages have, and that stand where others
# have frequent ones: the Turkish s and dotless i, the Baltic s and z, the Romanian t.
_RARE: Final = frozenset("ðþýÐÞÝ")
# They stand anywhere: single quotation marks, dashes, points of ellipses, bullet and middle dot,
# acute accent, ordinal indicators, blank that does not break, signs of copyright, trade marks and
# products.
_ANYWHERE: Final = frozenset(
    "\u2018\u2019\u2013\u2014\u2026\u2022\xb7\xb4\xaa\xba\xa0\xa9\xae\u2122\xd7\xb1"
)
_SOFT_HYPHEN: Final = "\xad"
_MICRO: Final = "\xb5"
# Letters that are no word by themselves, as letters of older code pages in their place are.
_NO_WORDS: Final = frozenset("\u0160\u017d\u0152\u0178\u0161\u017e\u0153")
# Inverted exclamation and question marks.
_BEFORE_WORDS: Final = frozenset("\xa1\xbf")
# Low and single angle quotation marks open what something closes.
_OPENING: Final = frozenset("\u201a\u201e\u2039")
_CLOSING: Final = frozenset("\u2018\u2019\u201c\u201d\u203a\"'")
# U+FFFD, which stands for the bytes that Windows-1252 leaves free, and accents without a letter.
_NO_TEXT: Final = frozenset("\ufffd\u02c6\u02dc\xaf\xb8\u0192")
_NO_TEXT_CATEGORIES: Final = frozenset({"Cc", "Co"})
# Signs, of mathematics say, and those among them that stand beside letters.
_SIGNS: Final = frozenset({"Sc", "Sk", "Sm", "So"})
_BESIDE_LETTERS: Final = frozenset("\xa2\xa3\xa5\u20ac\xa6\xb0")


def oddity_of(western: str) -> float:
    """Share of the characters beyond ASCII that no Western text has where they stand."""
    beyond = odd = 0
    has_closing = not _CLOSING.isdisjoint(western)
    for position, character in enumerate(western):
        if character.isascii():
            continue
        beyond += 1
        before = western[position - 1] if position else " "
        after = western[position + 1 : position + 2]
        odd += character in _RARE or _is_odd(character, before, after, has_closing=has_closing)
    return odd / beyond if beyond else 0.0


def _is_odd(character: str, before: str, after: str, *, has_closing: bool) -> bool:
    is_within_a_word = before.isalpha() and after.isalpha()
    if character == _SOFT_HYPHEN:
        return not is_within_a_word
    if character in _ANYWHERE:
        return False
    if character.isalpha():
        return _is_odd_letter(character, before, after)
    if character in _BEFORE_WORDS:
        return before.isalpha()
    if character in _OPENING and (before.isalpha() or not has_closing):
        return True
    category = unicodedata.category(character)
    if character in _NO_TEXT or category in _NO_TEXT_CATEGORIES:
        return True
    is_sign = category in _SIGNS and character not in _BESIDE_LETTERS
    return is_within_a_word or (is_sign and (before.isalpha() or after.isalpha()))


def _is_odd_letter(letter: str, before: str, after: str) -> bool:
    if not unicodedata.name(letter, "").startswith("LATIN"):
        return letter != _MICRO or before.isalpha()
    if letter in _NO_WORDS and not (before.isalpha() or after.isalpha()):
        return True
    return letter.isupper() and (before.islower() or (before.isalpha() and after.islower()))
