"""The text of an OpenDocument text, ISO/IEC 26300."""

from __future__ import annotations

from typing import Final

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.content import ExtractedText, extracted
from lexiclass.extraction.docx import core_properties
from lexiclass.extraction.zipped import Parts, XmlEvents

_CONTENT: Final = "content.xml"
_PROPERTIES: Final = "meta.xml"
_MANIFEST: Final = "META-INF/manifest.xml"

_BLOCKS: Final = frozenset({"p", "h"})
_LEFT_OUT: Final = frozenset({"tracked-changes", "annotation", "note-citation"})
# Of one element, which may claim any number of them.
_MOST_SPACES: Final = 100


def extract_odt(data: bytes) -> ExtractedText:
    """Return the text with its tables and notes, without comments and deleted text.

    Raises:
        DocumentUnreadable: If it is none, damaged or protected.
    """
    parts = Parts(data)
    if b"encryption-data" in (parts.read(_MANIFEST) or b""):
        raise DocumentUnreadable("protected by a password; save it without")
    content = parts.read(_CONTENT)
    if content is None:
        raise DocumentUnreadable("damaged")
    return extracted(_text(content), **core_properties(parts.read(_PROPERTIES)))


def _text(content: bytes) -> str:
    pieces: list[str] = []
    left_out = inside_block = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal left_out, inside_block
        left_out += name in _LEFT_OUT
        inside_block += name in _BLOCKS
        if left_out:
            return
        if name == "s":
            count = attributes.get("c", "1")
            pieces.append(" " * min(int(count) if count.isdecimal() else 1, _MOST_SPACES))
        else:
            pieces.append({"tab": "\t", "line-break": "\n"}.get(name, ""))

    def end(name: str) -> None:
        nonlocal left_out, inside_block
        left_out -= name in _LEFT_OUT
        inside_block -= name in _BLOCKS
        if name in _BLOCKS and not left_out:
            pieces.append("\n")

    def take(text: str) -> None:
        if inside_block and not left_out:
            pieces.append(text)

    XmlEvents(start, end, take).parse(content)
    return "".join(pieces)
