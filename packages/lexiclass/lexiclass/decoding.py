"""Bytes as text, in whatever encoding they come: Unicode first, then the likeliest code page.

A byte that belongs to no character of the encoding costs that byte: it becomes U+FFFD, and
:attr:`Decoded.num_replaced` says so. It never makes the rest be read as something else.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from lexiclass.code_pages import (
    WINDOWS_1252,
    decodes,
    encoding_in_ascii,
    fits_code_page,
    guess_code_page,
)
from lexiclass.errors import DocumentUnreadable
from lexiclass.unmarked_utf16 import unmarked_utf16

UTF_8: Final = "utf-8"
REPLACEMENT: Final = "\ufffd"
#: Name of the error handler that marks bytes that are no text, for :func:`count_marks` and others.
MARK_BYTES: Final = "lexiclass.mark-bytes"

# Longest first: the UTF-32 mark begins with the UTF-16 one.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_SAMPLE_BYTES: Final = 2**16
# A text of which more is replaced is none.
_MOST_REPLACED: Final = 0.1
_BAD_FOR_A_GOOD: Final = 10
_MOST_CONTROLS: Final = 0.05
# UTF-16 has a NUL for each ASCII character; without ASCII, its bytes are not most of them in ASCII.
_FEWEST_NULS: Final = 0.1
_MOST_ASCII: Final = 0.85
_NUL_OR_BEYOND_ASCII: Final = bytes([0, *range(0x80, 0x100)])

_MARK_BASE: Final = 0xDC00
_BEYOND_ASCII: Final = re.compile("[^\\x00-\\x7f]")
_MARKS: Final = re.compile("[\udc00-\udcff]")
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r\x1a\x1b"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text made of bytes.

    Attributes:
        text: The text.
        encoding: What they were decoded with, by its name in Python.
        num_replaced: Bytes that are no text in that encoding, each now U+FFFD.
        num_others: Bytes that are none either, and were read as Windows-1252: of a text of UTF-8
            into which as much was pasted.
    """

    text: str
    encoding: str
    num_replaced: int = 0
    num_others: int = 0


def decode(data: bytes, *, path: str | None = None, code_page: str | None = None) -> Decoded:
    """Decode bytes: by byte order mark, else as UTF-8, else in the likeliest code page.

    Args:
        data: The bytes.
        path: Where they came from, for the error.
        code_page: What texts beside this one are in that are no Unicode. It is taken where it fits,
            for a short text says little of its own.

    Raises:
        DocumentUnreadable: If they are not text.
    """
    encoding = marked_encoding(data)
    if encoding is None and b"\0" in data:
        encoding = unmarked_wide_encoding(data)
        if encoding is None:  # a NUL is in no text
            raise DocumentUnreadable("binary", path=path)
    if encoding is None:
        encoding = _wide_without_nuls(data) or _narrow_encoding(data, code_page=code_page)
    if encoding in {WINDOWS_1252, None} and has_utf8_besides(*count_utf8(data)):
        return _decode_mixed(data)
    if encoding is None:
        raise DocumentUnreadable("unknown encoding", path=path)
    marked = data.decode(encoding, errors=MARK_BYTES)
    num_replaced = count_marks(marked)
    if num_replaced > max(1, len(marked) * _MOST_REPLACED) or 0 < num_replaced == len(marked):
        raise DocumentUnreadable("unknown encoding", path=path)
    return Decoded(replace_marks(marked) if num_replaced else marked, encoding, num_replaced)


def marked_encoding(data: bytes) -> str | None:
    """Return the encoding that a byte order mark names, or None without one."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)


def unmarked_wide_encoding(data: bytes) -> str | None:
    """Return which of UTF-16 and UTF-32 bytes with NULs are in, or None if they are not.

    Args:
        data: The bytes, or the first of them: at a multiple of 4 if they are cut.
    """
    if (found := unmarked_utf16(data)) is not None:
        return found
    sample = data[:_SAMPLE_BYTES]
    num_ascii = len(sample.translate(None, _NUL_OR_BEYOND_ASCII))
    if sample.count(0) < len(sample) * _FEWEST_NULS and num_ascii > len(sample) * _MOST_ASCII:
        return None  # plain text with a stray NUL or two
    import chardet  # noqa: PLC0415

    guess = chardet.detect(
        sample, include_encodings=_WIDE, no_match_encoding="utf-16-le",
        compat_names=False,
    )  # fmt: skip
    encoding = guess["encoding"]
    if encoding is None or guess["confidence"] < 0.5:
        return None
    text = data[:_SAMPLE_BYTES].decode(encoding, errors="replace")
    return None if "\0" in text else encoding


def _wide_without_nuls(data: bytes) -> str | None:
    is_likely = has_controls(data) if decodes(data, UTF_8) else not is_mostly_utf8(data)
    return unmarked_utf16(data) if is_likely else None


def _narrow_encoding(data: bytes, *, code_page: str | None = None) -> str | None:
    """Return what bytes without NULs are in: UTF-8, an encoding in ASCII, or a code page.

    The code page given is taken before a guess where it fits.
    """
    try:
        data.decode(UTF_8)
    except UnicodeDecodeError:
        pass
    else:
        return (encoding_in_ascii(data) if data.isascii() else None) or UTF_8
    if is_mostly_utf8(data):
        return UTF_8
    if has_controls(data):
        return None
    if code_page is not None and fits_code_page(data, code_page):
        return code_page
    return guess_code_page(data)


def is_mostly_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 but for a few: fewer than it has characters beyond ASCII."""
    good, bad = count_utf8(data)
    return good > bad


def has_utf8_besides(good: int, bad: int) -> bool:
    """Whether so much of a text in Windows-1252, or in no encoding, is UTF-8 that it is no chance.

    Args:
        good: Characters beyond ASCII that it has as UTF-8.
        bad: Bytes that are none.
    """
    return good > bad // _BAD_FOR_A_GOOD


def count_utf8(data: bytes) -> tuple[int, int]:
    """Count the characters beyond ASCII that bytes hold as UTF-8, and the bytes that are none."""
    text = data.decode(UTF_8, errors=MARK_BYTES)
    bad = count_marks(text)
    return len(_BEYOND_ASCII.findall(text)) - bad, bad


def _decode_mixed(data: bytes) -> Decoded:
    marked = data.decode(UTF_8, errors=MARK_BYTES)
    num_others = count_marks(marked)
    text = _MARKS.sub(_in_windows_1252, marked)
    num_replaced = text.count(REPLACEMENT) - marked.count(REPLACEMENT)
    return Decoded(text, UTF_8, num_replaced, num_others - num_replaced)


def _in_windows_1252(mark: re.Match[str]) -> str:
    return bytes([ord(mark[0]) - _MARK_BASE]).decode(WINDOWS_1252, errors="replace")


def has_controls(data: bytes) -> bool:
    """Whether bytes hold more control characters than any text does."""
    sample = data[:_SAMPLE_BYTES]
    return len(sample) - len(sample.translate(None, _CONTROLS)) > len(sample) * _MOST_CONTROLS


def count_marks(text: str) -> int:
    """Count the bytes that were marked as no text."""
    return len(_MARKS.findall(text))


def replace_marks(text: str) -> str:
    """Put U+FFFD in the place of each byte that was marked as no text."""
    return _MARKS.sub(REPLACEMENT, text)


def unmark(text: str, encoding: str) -> bytes:
    """Return the bytes that a text with marks was decoded from."""
    parts = _MARKS.split(text)
    marks = [ord(mark) - _MARK_BASE for mark in _MARKS.findall(text)]
    encoded = [part.encode(encoding) for part in parts]
    pairs = zip(encoded, [bytes([mark]) for mark in marks] + [b""], strict=True)
    return b"".join(part + mark for part, mark in pairs)


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    """Stand in for each byte that can't be decoded with a lone surrogate, which no text holds."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(_MARK_BASE + byte) for byte in bad), error.end


codecs.register_error(MARK_BYTES, _mark_bytes)
