"""The text of a web page, by the rules of HTML 5."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from lexiclass.extraction.charsets import decode_declared
from lexiclass.extraction.content import ExtractedText, extracted

# What a browser shows nothing of, or no text.
_UNSEEN: Final = frozenset({
    "head", "script", "style", "noscript", "template", "svg", "math", "iframe", "object",
    "canvas", "audio", "video",
})  # fmt: skip
_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd",
    "details", "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "nav", "ol",
    "option", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "tr",
    "ul",
})  # fmt: skip
_CELLS: Final = frozenset({"td", "th"})
_AS_WRITTEN: Final = frozenset({"pre", "textarea", "listing", "xmp"})

# The declaration stands within so many bytes: HTML standard, 4.2.5.4.
_DECLARED_WITHIN: Final = 1024
_DECLARATION = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SPACE = re.compile(r"[ \t\n\f\r]+")


def extract_html(data: bytes, code_page: str | None = None) -> ExtractedText:
    """Return what a browser would show of a page without running its scripts."""
    page = decode_declared(data, _charset(data), code_page)
    return replace(page_text(page.text), has_replaced=page.num_replaced > 0)


def page_text(page: str) -> ExtractedText:
    """Return the text of a page that is decoded."""
    parser = LexborHTMLParser(page)
    title = parser.css_first("head > title")
    text = "" if parser.root is None else "".join(_pieces(parser.root))
    # Spaces at a line's end or beside each other come from the source's indentation.
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", re.sub(r" {2,}", " ", text))
    return extracted(text, title=None if title is None else title.text())


def _pieces(root: LexborNode) -> Iterator[str]:
    """Text and line breaks in order; without recursion, which a deep page would exhaust."""
    node: LexborNode | None = root
    written = 0
    while node is not None:
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            yield text if written else _SPACE.sub(" ", text)
        elif tag not in _UNSEEN:
            yield _break_at(tag)
            if node.child is not None:
                written += tag in _AS_WRITTEN
                node = node.child
                continue
        while node is not None and node.next is None:
            node = node.parent
            if node is not None:
                tag = node.tag or ""
                written -= tag in _AS_WRITTEN
                yield _break_at(tag)
        node = None if node is None else node.next


def _break_at(tag: str) -> str:
    if tag in _BLOCKS:
        return "\n"
    return " " if tag in _CELLS else ""


def _charset(data: bytes) -> str | None:
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return charset
    head = data[:_DECLARED_WITHIN]
    declared = _DECLARATION.search(head) or _XML_DECLARATION.match(head)
    if declared is None:
        return None
    charset = declared[1].decode("ascii", "replace").lower()
    # It was read as ASCII, so it can't be true: HTML standard, 13.2.3.2.
    return "utf-8" if charset.startswith("utf-16") else charset
