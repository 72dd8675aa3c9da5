"""The texts of documents, as far as a page shows them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from lexiclass_console.serving import View
from lexiclass_core.documents.texts import TextReader, path_of

MOST_BYTES: Final = 64 * 1024
"""Bytes of a text that a page shows; who wants to read more opens the file."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownText:
    """A text, or why there is none.

    Attributes:
        text: Its beginning; None where it is not shown.
        is_cut: Whether there is more of it.
        problem: Why it is not shown.
    """

    text: str | None = None
    is_cut: bool = False
    problem: str = ""


async def text_of(
    view: View, project_id: int, document_id: int, content_path: str | None
) -> ShownText:
    """The beginning of a document's text, for those who may see it."""
    if not view.sees_texts:
        return ShownText(problem="Texts are hidden for your role.")
    if view.console.texts is None:
        return ShownText(
            problem="The console does not know the storage: give create_console its storage."
        )
    return await asyncio.to_thread(_read, view.console.texts, project_id, document_id, content_path)


def _read(
    texts: TextReader, project_id: int, document_id: int, content_path: str | None
) -> ShownText:
    path = path_of(texts, project_id, document_id, content_path)
    if path is None:
        return ShownText(problem="Its row names a file outside of its project: none is read.")
    try:
        content = texts.read_beginning(path, MOST_BYTES + 1)
    except Exception as error:  # noqa: BLE001 - whatever a store raises, the rest is shown
        _log.warning("the text of document %d cannot be read: %r", document_id, error)
        return ShownText(
            problem=f"Its text cannot be read ({type(error).__name__}): lexiclass-worker check "
            "says whether the storage answers."
        )
    if content is None:
        return ShownText(problem="Its file is not there: the next indexing will say so too.")
    # Workers find out other encodings; half of a character at the end is left out.
    is_cut = len(content) > MOST_BYTES
    text = content[:MOST_BYTES].decode("utf-8-sig", errors="ignore" if is_cut else "replace")
    return ShownText(text=text, is_cut=is_cut)
