"""Text of bytes whose character set may be declared, rightly or wrongly."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Final

from lexiclass.decoding import decode
from lexiclass.errors import DocumentUnreadable

# What is declared as Latin-1 or ASCII is Windows-1252 in practice: the rule of the WHATWG's
# Encoding Standard. So is, often enough, what is UTF-8, which Latin-1 hardly ever looks like.
_WINDOWS: Final = "windows-1252"
_DECLARED_FOR_WINDOWS: Final = frozenset({"ascii", "iso8859-1", "cp1252"})


def decode_as(data: bytes, charset: str | None) -> str:
    """Decode bytes as they are declared, if that holds; never fails.

    Args:
        data: The bytes.
        charset: What they are said to be in. One that is unknown or missing, or wrong where they
            are UTF-8, is passed over; else they are taken for Windows-1252, as mail programs and
            browsers do.
    """
    codec = _codec(charset) or _WINDOWS
    for candidate in ("utf-8", _WINDOWS) if codec == _WINDOWS else (codec, "utf-8"):
        with suppress(UnicodeError):
            return data.decode(candidate)
    return data.decode(codec, "replace")


def decode_undeclared(data: bytes) -> str:
    """Decode bytes of which nothing is said, by what is in them; never fails."""
    try:
        return decode(data).text
    except DocumentUnreadable:
        return decode_as(data, None)


def _codec(charset: str | None) -> str | None:
    if not charset:
        return None
    try:
        name = codecs.lookup(charset.strip(" \t\"'")).name
        # "base64" and "zip" are codecs of bytes, "undefined" one of nothing.
        " ".encode(name)
    except (LookupError, ValueError):
        return None
    return _WINDOWS if name in _DECLARED_FOR_WINDOWS else name
