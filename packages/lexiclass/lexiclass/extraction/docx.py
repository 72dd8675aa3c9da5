"""The text of a Word document: Office Open XML, ISO/IEC 29500."""

from __future__ import annotations

from typing import Final

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.content import ExtractedText, extracted
from lexiclass.extraction.zipped import Parts, XmlEvents

# Where the body is stands in the relationships of the package; Word for the web calls it otherwise.
_RELATIONSHIPS: Final = "_rels/.rels"
_BODY_RELATIONSHIP: Final = "/officeDocument"
_BODY: Final = "word/document.xml"
# Headers and footers repeat on every page, and comments are not the document's.
_NOTES: Final = ("word/footnotes", "word/endnotes")
_PROPERTIES: Final = "docProps/core.xml"

_WRITTEN: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
# Moved away in a tracked change; what was deleted is no `t`. A fallback repeats what stands before
# it for older programs. The properties of a paragraph define tab stops by the name of a tab.
_LEFT_OUT: Final = frozenset({"moveFrom", "Fallback", "pPr", "rPr"})


def extract_docx(data: bytes) -> ExtractedText:
    """Return the text with its tables, text boxes, foot- and endnotes, changes accepted.

    Raises:
        DocumentUnreadable: If it is none, damaged or protected.
    """
    parts = Parts(data)
    body = parts.read(_body_name(parts.read(_RELATIONSHIPS)))
    if body is None:
        raise DocumentUnreadable("damaged")
    names = [name for name in parts.names if name.startswith(_NOTES)]
    notes = [part for name in names if (part := parts.read(name)) is not None]
    text = "\n".join(_text(part) for part in (body, *notes))
    return extracted(text, **core_properties(parts.read(_PROPERTIES)))


def _body_name(relationships: bytes | None) -> str:
    found = [_BODY]

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("Type", "").endswith(_BODY_RELATIONSHIP):
            found.append(attributes.get("Target", _BODY).removeprefix("/"))

    if relationships is not None:
        XmlEvents(start, lambda _: None, lambda _: None).parse(relationships)
    return found[-1]


def core_properties(part: bytes | None) -> dict[str, str]:
    """Return title and author of a part with Dublin Core elements; nothing of none."""
    wanted = {"title": "title", "creator": "author"}
    found: dict[str, str] = {}
    inside: list[str] = []

    def take(text: str) -> None:
        if inside and (name := wanted.get(inside[-1])):
            found[name] = found.get(name, "") + text

    if part is not None:
        XmlEvents(lambda name, _: inside.append(name), lambda _: inside.pop(), take).parse(part)
    return found


def _text(part: bytes) -> str:
    pieces: list[str] = []
    left_out = inside_text = 0

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal left_out, inside_text
        left_out += name in _LEFT_OUT
        inside_text += name == "t"
        if not left_out:
            pieces.append(_WRITTEN.get(name, ""))

    def end(name: str) -> None:
        nonlocal left_out, inside_text
        left_out -= name in _LEFT_OUT
        inside_text -= name == "t"
        if not left_out:
            pieces.append({"p": "\n", "tc": "\t"}.get(name, ""))

    def take(text: str) -> None:
        if inside_text and not left_out:
            pieces.append(text)

    XmlEvents(start, end, take).parse(part)
    return "".join(pieces)
