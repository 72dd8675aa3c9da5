"""Cutting long texts into pieces that a library takes."""

from __future__ import annotations

import re
from typing import Final

# Where a text is best cut, the best first: after a paragraph, a line, a sentence, a blank.
_ENDS: Final = tuple(
    map(re.compile, (r"\n\s*\n", r"\n", r"[\u3002\uff0e\uff01\uff1f!?]|\.\s", r"\s"))
)


def cut_text(text: str, limit: int | None) -> list[str]:
    """Cut a text into pieces that a library takes, between sentences or words where that can be.

    Args:
        text: The text; a concatenation of the pieces gives it again.
        limit: Longest piece, in bytes of UTF-8, at least 4; None for no limit.
    """
    if limit is None or len(text) * 4 <= limit or len(text.encode()) <= limit:
        return [text]
    pieces = []
    while text:
        # No character has fewer bytes than one, so this holds all that fits.
        head = text[:limit].encode()[:limit].decode(errors="ignore")
        end = len(head) if len(head) == len(text) else _best_end(head)
        pieces.append(text[:end])
        text = text[end:]
    return pieces


def _best_end(head: str) -> int:
    """Where to cut: the last good place in the second half, else at the end."""
    for end in _ENDS:
        places = [found.end() for found in end.finditer(head, len(head) // 2)]
        if places:
            return places[-1]
    return len(head)
