"""Reads documents in a process of its own: what a foreign file does to its parser ends there.

A process that dies or goes beyond its bounds is replaced, and the document refused.
"""

from __future__ import annotations

from typing import Final, Self

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.content import ExtractedText
from lexiclass.extraction.formats import DocumentFormat
from lexiclass.extraction.process import ExtractionLimits, ParserFailed, ParserProcess

_DEFAULT_LIMITS: Final = ExtractionLimits()


class Extractor:
    """Reads documents one at a time; its process starts with the first.

    A context manager: the process ends with it. Not for several threads at the same time.
    """

    def __init__(self, limits: ExtractionLimits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._process: ParserProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def extract(
        self, data: bytes, found: DocumentFormat, *, code_page: str | None = None
    ) -> ExtractedText:
        """Return the text of a document; see :func:`~lexiclass.decoding.decode` of ``code_page``.

        Raises:
            DocumentUnreadable: If the format is none of a document, its library is not installed,
                or this document can't be read within the limits. The reason names the format and
                what to do, and is the same for all documents it holds for.
        """
        if found.refusal:
            raise DocumentUnreadable(found.refusal)
        arguments = {"code_page": code_page} if found.declares_charset else {}
        if self._process is None:
            self._process = ParserProcess(self._limits)
        try:
            (answer,) = self._process.ask(found.extractor, data, **arguments)
        except ParserFailed as error:
            raise DocumentUnreadable(f"{found.name}: {error.reason}; {found.way_out}") from error
        except DocumentUnreadable as error:
            raise DocumentUnreadable(f"{found.name}: {error.reason}") from error
        finally:
            if not self._process.is_usable:
                self.close()
        text = str(answer["text"])
        if len(text.encode("utf-8", "replace")) > self._limits.text_bytes:
            raise DocumentUnreadable(f"{found.name}: its text is too large")
        if not text.strip():
            raise DocumentUnreadable(f"{found.name}: has no text")
        return ExtractedText(text, answer["metadata"], answer["has_replaced"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.close()
