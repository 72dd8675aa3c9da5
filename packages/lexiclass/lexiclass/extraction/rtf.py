"""The text of RTF."""

from __future__ import annotations

from striprtf.striprtf import rtf_to_text

from lexiclass.extraction.content import ExtractedText, extracted


def extract_rtf(data: bytes) -> ExtractedText:
    """Return the text without its control words and embedded pictures."""
    # RTF is ASCII; other characters are escapes, in the code page that it names itself.
    text: str = rtf_to_text(data.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
    return extracted(text)
