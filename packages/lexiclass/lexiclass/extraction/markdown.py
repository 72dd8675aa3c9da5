"""The text of Markdown: what a reader sees of the page that it makes."""

from __future__ import annotations

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from lexiclass.extraction.charsets import decode_declared
from lexiclass.extraction.content import ExtractedText, extracted
from lexiclass.extraction.html import page_text

# Metadata in YAML in front of the text, as Jekyll, Hugo and Pandoc write it.
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE)


def extract_markdown(data: bytes) -> ExtractedText:
    """Return the text without marks of headings, emphasis and links."""
    decoded = decode_declared(data, None)
    source = decoded.text.replace("\r\n", "\n")
    title = None
    if front := _FRONT_MATTER.match(source):
        found = _TITLE.search(front[1])
        title = found[1] if found else None
        source = source[front.end() :]
    page = MarkdownIt("commonmark").enable("table").enable("strikethrough").render(source)
    text = extracted(page_text(page).text, title=title)
    return replace(text, has_replaced=decoded.num_replaced > 0)
