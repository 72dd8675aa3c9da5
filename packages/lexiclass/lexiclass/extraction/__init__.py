"""The text of documents: e-mail, web pages, Markdown, PDF, Word, OpenDocument, RTF.

:func:`recognise` says which format a file is in; :class:`Extractor` reads it, in a process of its
own, with bounds to time and memory, that has access to nothing but the bytes it is given.
"""

from lexiclass.extraction.content import ExtractedText
from lexiclass.extraction.extractor import Extractor
from lexiclass.extraction.formats import DOCUMENT_FORMATS, DocumentFormat
from lexiclass.extraction.process import ExtractionLimits
from lexiclass.extraction.recognition import HEAD_BYTES, recognise
from lexiclass.extraction.rows import read_rows

__all__ = [
    "DOCUMENT_FORMATS",
    "HEAD_BYTES",
    "DocumentFormat",
    "ExtractedText",
    "ExtractionLimits",
    "Extractor",
    "read_rows",
    "recognise",
]
