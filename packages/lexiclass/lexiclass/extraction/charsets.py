"""Text of bytes whose character set may be declared, rightly or wrongly."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final

from lexiclass.code_pages import WINDOWS_1252, decodes
from lexiclass.decoding import REPLACEMENT, UTF_8, Decoded, decode
from lexiclass.errors import DocumentUnreadable

# What a character set is called that is a part of another, which programs write under its name: by
# the WHATWG's Encoding Standard, as browsers read them.
_WIDER: Final[Mapping[str, str]] = {
    "iso8859-1": WINDOWS_1252, "iso8859-9": "cp1254", "tis-620": "cp874", "gb2312": "gb18030",
    "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932",
}  # fmt: skip
_SAYS_NOTHING: Final = "ascii"
# A message that was saved in UTF-16 as a whole is no longer so when it is read.
_OFTEN_UTF_8: Final = (WINDOWS_1252, "utf-16", "utf-32")


def decode_declared(data: bytes, charset: str | None, code_page: str | None = None) -> Decoded:
    """Decode bytes as they are declared, if that holds, else by what is in them; never fails.

    Args:
        data: The bytes.
        charset: What they are said to be in. One that is unknown or missing is passed over, and one
            that is wrong; so is ASCII, where there are others. What is declared as Latin-1 is
            UTF-8 often enough, which Latin-1 hardly ever looks like.
        code_page: See :func:`~lexiclass.decoding.decode`.
    """
    codec = _codec(charset)
    if codec is not None:
        if codec.startswith(_OFTEN_UTF_8) and b"\0" not in data and decodes(data, UTF_8):
            codec = UTF_8
        if decodes(data, codec):
            return Decoded(data.decode(codec), codec)
    try:
        return decode(data, code_page=code_page)
    except DocumentUnreadable:
        return _replaced(data, codec or WINDOWS_1252)


def _replaced(data: bytes, codec: str) -> Decoded:
    text = data.decode(codec, "replace")
    return Decoded(text, codec, text.count(REPLACEMENT))


def _codec(charset: str | None) -> str | None:
    if not charset:
        return None
    try:
        name = codecs.lookup(charset.strip(" \t\"'")).name
        # "base64" and "zip" are codecs of bytes, "undefined" one of nothing.
        " ".encode(name)
    except (LookupError, ValueError):
        return None
    return None if name == _SAYS_NOTHING else _WIDER.get(name, name)
