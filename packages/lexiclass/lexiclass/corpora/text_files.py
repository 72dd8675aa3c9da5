"""What encoding a file of records is in."""

from __future__ import annotations

import codecs
from typing import Final

from lexiclass.corpora.sources import SourceFile
from lexiclass.errors import DocumentUnreadable, InvalidParameters
from lexiclass.io import decode

_ENCODING_SAMPLE_BYTES: Final = 2**20
# In UTF-16 and UTF-32 a line ends within 4 bytes, at a multiple of 2 or 4.
_WIDE_MARKS: Final = (
    codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE,
)  # fmt: skip


def encoding_of(file: SourceFile) -> str:
    """Return what a file is encoded in, by its first megabyte.

    Raises:
        InvalidParameters: If it is no text.
    """
    with file.open() as opened:
        sample = opened.read(_ENCODING_SAMPLE_BYTES)
    if len(sample) == _ENCODING_SAMPLE_BYTES:
        # A character cut in two at the end of the sample is no sign of another encoding.
        end = sample.rfind(b"\n") + 1
        end -= end % -4 if sample.startswith(_WIDE_MARKS) else 0
        sample = sample[:end] or sample
    try:
        _, encoding = decode(sample)
    except DocumentUnreadable as error:
        raise InvalidParameters(f"{file.name} is no table of text: {error.reason}") from error
    return "utf-8-sig" if encoding == "utf-8" else encoding
