"""The text of a PDF document, page by page."""

from __future__ import annotations

import io
import logging
import shlex
from contextlib import suppress

from pypdf import PdfReader
from pypdf.errors import DependencyError, EmptyFileError, PdfReadError, PyPdfError

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.content import ExtractedText, extracted
from lexiclass.extraction.formats import PDF

# It warns of every fault that it mends.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def extract_pdf(data: bytes) -> ExtractedText:
    """Return the text that is there as text; scanned pages have none.

    Raises:
        DocumentUnreadable: If it is none, or is protected by a password.
    """
    reader = _open(data)
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")
        except DependencyError as error:
            raise DocumentUnreadable(
                f"encrypted, and what decrypts it is not installed; run: pip install "
                f"{shlex.quote(PDF.requires[0])}"
            ) from error
        except (PyPdfError, NotImplementedError) as error:
            raise DocumentUnreadable("encrypted in an unknown way") from error
        if not opened:
            raise DocumentUnreadable(
                "protected by a password; save it without, e.g. with qpdf --decrypt"
            )
    text = "\n\n".join(page.extract_text() for page in reader.pages)
    if not text.strip():
        raise DocumentUnreadable(
            "has no text; if its pages are scans, recognise it first, e.g. with ocrmypdf"
        )
    # A broken entry there says nothing of the text.
    information = None
    with suppress(PyPdfError, ValueError, TypeError, AttributeError):
        information = reader.metadata
    if information is None:
        return extracted(text)
    return extracted(text, title=information.title, author=information.author)


def _open(data: bytes) -> PdfReader:
    try:
        return PdfReader(io.BytesIO(data))
    except EmptyFileError:
        raise
    except PdfReadError:
        # One that was cut off has lost the table of its objects, and the line that says where that
        # is. With such a line the reader looks for the objects itself.
        return PdfReader(io.BytesIO(data + b"\nstartxref\n0\n%%EOF\n"))
