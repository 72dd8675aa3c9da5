"""What an extractor gives: a text and what else is known of the document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# A title or a subject; longer ones are a mistake of whoever wrote the file.
_LONGEST_VALUE: Final = 1_000
_MOST_VALUES: Final = 50

Metadata = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """The text of a document.

    Attributes:
        text: With a line break between blocks such as paragraphs.
        metadata: What the document says of itself: title, author, subject, ...; only what is there.
        has_replaced: Whether it has bytes that are no text in their encoding, now U+FFFD.
    """

    text: str
    metadata: Metadata = field(default_factory=dict)
    has_replaced: bool = False


def extracted(text: str, /, **metadata: str | list[str] | None) -> ExtractedText:
    """Return a text in its usual form: no trailing spaces, at most one empty line at a time.

    Metadata that are empty are left out.
    """
    text = _storable(text).replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"[ \t\f\v\xa0]+(?=\n)", "", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    kept = {name: _value(value) for name, value in metadata.items() if value}
    return ExtractedText(text, {name: value for name, value in kept.items() if value})


def _value(value: str | list[str]) -> str | list[str]:
    if isinstance(value, list):
        return [_line(item) for item in value[:_MOST_VALUES]]
    return _line(value)


def _line(value: str) -> str:
    return " ".join(_storable(value).split())[:_LONGEST_VALUE]


def _storable(text: str) -> str:
    """Without what neither a file nor a column can hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
