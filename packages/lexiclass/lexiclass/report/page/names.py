"""Names of classes, documents and their texts: anybody's, so they are cleaned and shortened."""

from __future__ import annotations

import unicodedata
from typing import Final

NAME_WIDTH: Final = 48
"""How wide a name may be, in columns: wide characters take two."""

TEXT_WIDTH: Final = 240
"""The same of a text's beginning."""

PROSE_WIDTH: Final = 1200
"""The same of a sentence that names classes."""

#: No more than these are stacked on a letter: languages need three.
_MOST_MARKS: Final = 3
#: These join letters and emoji, or say which way a letter goes; they show nothing alone.
_HARMLESS: Final = "\u200c\u200d\u200e\u200f"
_REPLACEMENT: Final = "\ufffd"
_START_OF_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


def cleaned(text: str, width: int = NAME_WIDTH) -> str:
    """Return a name in one line, without characters that would act on those around it.

    Runs of white space become one space; what steers the direction of writing, and every other
    control character, becomes U+FFFD. What is too wide loses its middle: names that begin alike
    often end differently.
    """
    # So that a text of megabytes costs no more than a name: no mark survives beyond these anyway.
    cut = len(text) > 8 * width
    if cut:
        text = f"{text[: 4 * width]} {text[-4 * width :]}"
    characters = _characters(" ".join(text.split()))
    if not characters:
        return "(no name)"
    if cut or sum(map(_columns, characters)) > width:
        tail = width // 3
        characters = [
            *_first(characters, width - tail - 1),
            "…",
            *reversed(_first(characters[::-1], tail)),
        ]
    return "".join(characters)


def beginning(text: str, width: int) -> str:
    """Return the beginning of a text, cleaned likewise; what is too wide loses its end."""
    cut = text[: 8 * width]
    characters = _characters(" ".join(cut.split()))
    if len(cut) == len(text) and sum(map(_columns, characters)) <= width:
        return "".join(characters)
    return "".join([*_first(characters, width - 1), "…"])


def isolated(text: str, width: int = NAME_WIDTH) -> str:
    """Return a cleaned name that keeps its direction of writing to itself, for SVG and titles."""
    return f"{_START_OF_ISOLATE}{cleaned(text, width)}{_END_OF_ISOLATE}"


def _characters(text: str) -> list[str]:
    """Return letters with the marks on them."""
    found: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in {"Mn", "Me"} or character in _HARMLESS:
            marks += 1
            if marks <= _MOST_MARKS and found:
                found[-1] += character
            continue
        marks = 0
        if category in {"Cc", "Cf", "Cs"}:
            character = _REPLACEMENT  # noqa: PLW2901 - it takes its place
        found.append(character)
    return found


def _first(characters: list[str], width: int) -> list[str]:
    used, found = 0, []
    for each in characters:
        used += _columns(each)
        if used > width:
            break
        found.append(each)
    return found


def columns(text: str) -> int:
    """Return how wide a cleaned name is."""
    return sum(map(_columns, _characters(text)))


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character[0]) in {"W", "F"} else 1
