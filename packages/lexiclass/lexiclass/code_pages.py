"""Which code page bytes are in that are no Unicode: Windows-1252 unless others fit much better.

The evidence is chardet's: how often two bytes follow each other in the languages that a code page
is used for. Its models know some fifty languages. A text in any other is like none of them, and
the best of the bad scores is chance: so a code page of Latin letters has to be better than
Windows-1252 by a margin, and one of another script has to give words of that script.
``benchmarks/decoding.py`` measures it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from lexiclass.alphabets import are_of_one_language
from lexiclass.western_text import oddity_of

WINDOWS_1252: Final = "cp1252"
# What web browsers read as Windows-1252 as well: the rest of it are control characters.
_ISO_8859_1: Final = "iso8859-1"

# More than this is not looked at: chardet's scores settle within 16 KB.
_SAMPLE_BYTES: Final = 2**16
# What text is kept in; chardet knows some more, of mainframes and the like.
_LATIN: Final = frozenset({
    "iso8859-15", "cp1250", "iso8859-2", "cp1254", "iso8859-9", "cp1257",
    "iso8859-13", "iso8859-4", "cp1258",
})  # fmt: skip
_BEFORE_WINDOWS: Final = frozenset({"mac-roman", "cp850", "cp437"})
_EAST_ASIAN: Final = frozenset({
    "cp932", "shift_jis_2004", "euc_jis_2004", "gb18030", "big5hkscs", "cp949", "euc_kr", "johab",
})  # fmt: skip
_OTHER_SCRIPTS: Final = _EAST_ASIAN | {
    "cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp866", "mac-cyrillic", "cp1253", "iso8859-7",
    "cp1255", "iso8859-8", "cp1256", "iso8859-6", "cp874", "tis-620",
}  # fmt: skip
_CANDIDATES: Final = (
    frozenset({WINDOWS_1252, _ISO_8859_1}) | _LATIN | _BEFORE_WINDOWS | _OTHER_SCRIPTS
)
_IN_ASCII: Final = frozenset(
    {"hz", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_ext", "iso2022_kr"}
)

# Shares of the score of another page for Latin letters at which Windows-1252 is taken all the same.
_ENOUGH: Final = 0.68
_ENOUGH_IF_ODD: Final = 0.88
# A share of the characters beyond ASCII that no Western text has where they stand.
_ODD: Final = 0.02
_ODD_IF_OLDER: Final = 0.08
# So much better has the score of a page of an older system to be where nothing is odd, but letters
# of it may be dashes in words, as English has them too.
_BETTER: Final = 1.05
_TOO_ODD: Final = 0.12
# A share of the words beyond ASCII that hold ASCII letters as well, or of the East Asian characters
# that stand alone among them.
_MIXED: Final = 0.3
# A share of the letters beyond ASCII that names from elsewhere may have.
_FOREIGN: Final = 0.1
# So few bytes beyond ASCII say nothing of other languages.
_FEW: Final = 1
# Of so many bytes beyond ASCII one may be no character: a stray, or half of one at a cut.
_BYTES_A_STRAY: Final = 50

_SOFT_HYPHEN: Final = "\xad"
_BEYOND_ASCII: Final = bytes(range(0x80, 0x100))
_DASH_IN_A_WORD: Final = re.compile("[a-z][\u2013\u2014][a-z]")
_CONTROLS: Final = re.compile("[\x80-\x9f]")
_WORD: Final = re.compile(r"[^\W_]+")
_BEYOND_ASCII_RUN: Final = re.compile(r"[^\x00-\x7f]+")


def guess_code_page(data: bytes) -> str | None:
    """Return the code page that bytes are in, by its name in Python, or None."""
    sample = data[:_SAMPLE_BYTES]
    western = sample.decode(WINDOWS_1252, errors="replace")
    oddity = oddity_of(western)
    if oddity <= _ODD and len(sample) - len(sample.translate(None, _BEYOND_ASCII)) <= _FEW:
        return WINDOWS_1252
    scores = _scores(sample)
    western_score = scores.get(WINDOWS_1252, scores.get(_ISO_8859_1, 0.0))
    older_score = _score_of_older(western, oddity, western_score)
    western_page = _western_page(sample, scores, older_score)
    for candidate, score in scores.items():
        if candidate in {WINDOWS_1252, _ISO_8859_1}:
            return western_page
        text = sample.decode(candidate, errors="ignore")
        if _CONTROLS.search(text) or _without_strays(data, candidate) is None:
            continue
        if candidate in _LATIN:
            if not are_of_one_language(text, candidate):
                continue
            enough = _ENOUGH_IF_ODD if oddity > _ODD else _ENOUGH
            return candidate if western_score < enough * score else western_page
        if candidate in _BEFORE_WINDOWS:
            if western_page == candidate:
                return candidate
        elif _is_of_its_script(text, candidate):
            return candidate
    return WINDOWS_1252 if oddity < _TOO_ODD else None


def _score_of_older(western: str, oddity: float, western_score: float) -> float:
    """The score that the page of an older system has to have for a text to be in it."""
    if oddity >= _ODD_IF_OLDER:
        return western_score
    return _BETTER * western_score if _DASH_IN_A_WORD.search(western) else math.inf


def _western_page(sample: bytes, scores: Mapping[str, float], needed: float) -> str:
    """The likeliest page of an older system in which nothing is odd, else Windows-1252."""
    for candidate, score in scores.items():
        if candidate in _BEFORE_WINDOWS and score >= needed:
            # Programs of those systems write no soft hyphens.
            text = sample.decode(candidate).replace(_SOFT_HYPHEN, "\ufffd")
            if oddity_of(text) <= _ODD:
                return candidate
    return WINDOWS_1252


def fits_code_page(data: bytes, code_page: str) -> bool:
    """Whether bytes look like text in a code page, by rules that see no more than their script."""
    if _without_strays(data, code_page) is None:
        return False
    sample = data[:_SAMPLE_BYTES]
    if code_page in _OTHER_SCRIPTS:
        return _is_of_its_script(sample.decode(code_page, errors="ignore"), code_page)
    text = sample.decode(code_page, errors="replace")
    if _foreign_words(text) > _MIXED:
        return False
    return code_page in _BEFORE_WINDOWS or oddity_of(text) <= _ODD


def is_western(text: str) -> bool:
    """Whether a text has letters beyond ASCII, and Windows-1252 has most of them."""
    letters = [each for each in text if not each.isascii() and each.isalpha()]
    foreign = "".join(letters).encode(WINDOWS_1252, errors="replace").count(b"?")
    return bool(letters) and foreign <= len(letters) * _FOREIGN


def decodes(data: bytes, encoding: str) -> bool:
    """Whether all of the bytes are text in an encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def encoding_in_ascii(data: bytes) -> str | None:
    """Return the encoding of bytes that are all ASCII, and yet stand for other characters.

    Returns:
        One of the family ISO-2022, or HZ; None for plain ASCII.
    """
    if b"\x1b" not in data and b"~{" not in data:
        return None
    import chardet  # noqa: PLC0415

    found = chardet.detect(
        data[:_SAMPLE_BYTES], include_encodings=_IN_ASCII, no_match_encoding="hz",
        compat_names=False,
    )  # fmt: skip
    encoding = found["encoding"]
    if encoding is None or found["confidence"] < 0.5:
        return None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if text.isascii() else encoding


def _scores(sample: bytes) -> dict[str, float]:
    """Scores by code page, best first."""
    found = _detect(sample, _CANDIDATES)
    # What one byte is no text in has no score; it is scored on all other bytes.
    alike: dict[bytes, set[str]] = {}
    for candidate in sorted(_CANDIDATES - found.keys()):
        rest = _without_strays(sample, candidate)
        if rest is not None and len(rest) < len(sample):
            alike.setdefault(rest, set()).add(candidate)
    for rest, candidates in alike.items():
        found |= _detect(rest, frozenset(candidates))
    return dict(sorted(found.items(), key=lambda scored: -scored[1]))


def _detect(sample: bytes, candidates: frozenset[str]) -> dict[str, float]:
    # Takes a tenth of a second to load, and most corpora never need it.
    import chardet  # noqa: PLC0415

    # What is said where none of them fits is none of them, or what is taken then anyway.
    none_fits = WINDOWS_1252 if WINDOWS_1252 in candidates else "ascii"
    results = chardet.detect_all(
        sample, ignore_threshold=True, include_encodings=candidates | {none_fits},
        no_match_encoding=none_fits, compat_names=False,
    )  # fmt: skip
    return {
        result["encoding"]: result["confidence"]
        for result in results
        if result["encoding"] in candidates
    }


def _without_strays(data: bytes, encoding: str) -> bytes | None:
    """The bytes that are text in an encoding; None if more than a few are not."""
    if decodes(data, encoding):
        return data
    rest = data.decode(encoding, errors="ignore").encode(encoding, errors="ignore")
    beyond_ascii = len(data) - len(data.translate(None, _BEYOND_ASCII))
    is_few = (len(data) - len(rest)) * _BYTES_A_STRAY <= beyond_ascii
    return rest if is_few else None


def _foreign_words(text: str) -> float:
    """Share of the words beyond ASCII that have no ASCII letter: none are so in Latin script."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    foreign = sum(len(word) > 2 and not any(map(str.isascii, word)) for word in words)
    return foreign / len(words) if words else 0.0


def _is_of_its_script(text: str, code_page: str) -> bool:
    """Whether a text is not one in Latin letters that was read as another script."""
    # East Asian words follow ASCII ones without a blank.
    foreign = _lone_characters if code_page in _EAST_ASIAN else _mixed_words
    return foreign(text) <= _MIXED


def _lone_characters(text: str) -> float:
    """Share of the characters beyond ASCII that stand between ASCII ones."""
    runs = list(map(len, _BEYOND_ASCII_RUN.findall(text)))
    return runs.count(1) / sum(runs) if runs else 0.0


def _mixed_words(text: str) -> float:
    """Share of the words beyond ASCII that hold ASCII letters as well."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    mixed = sum(any(letter.isascii() for letter in word) for word in words)
    return mixed / len(words) if words else 0.0
