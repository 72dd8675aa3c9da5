"""Text of bytes whose character set may be declared, rightly or wrongly."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Final

from lexiclass.errors import DocumentUnreadable
from lexiclass.io import decode

#: What bytes are taken for of which nothing is known and that are too few to guess from.
WINDOWS: Final = "windows-1252"
# What is declared as Latin-1 or ASCII is Windows-1252 in practice: the rule of the WHATWG's
# Encoding Standard. So is, often enough, what is UTF-8, which Latin-1 hardly ever looks like.
_DECLARED_FOR_WINDOWS: Final = frozenset({"ascii", "iso8859-1", "cp1252"})


def decode_as(data: bytes, charset: str | None) -> str:
    """Decode bytes, as declared if that holds; never fails.

    Args:
        data: The bytes.
        charset: What they are said to be in; None where nothing is said. One that is unknown, or
            wrong where they are UTF-8, is passed over.
    """
    codec = _codec(charset)
    for candidate in ("utf-8", WINDOWS) if codec == WINDOWS else (codec, "utf-8"):
        if candidate is not None:
            with suppress(UnicodeError):
                return data.decode(candidate)
    if codec is not None:
        return data.decode(codec, "replace")
    try:
        return decode(data)[0]
    except DocumentUnreadable:
        return data.decode(WINDOWS, "replace")


def _codec(charset: str | None) -> str | None:
    if not charset:
        return None
    try:
        name = codecs.lookup(charset.strip(" \t\"'")).name
        # "base64" and "zip" are codecs of bytes, "undefined" one of nothing.
        b" ".decode(name)
    except (LookupError, ValueError):
        return None
    return WINDOWS if name in _DECLARED_FOR_WINDOWS else name
