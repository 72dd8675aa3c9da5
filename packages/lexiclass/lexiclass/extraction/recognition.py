"""Which format a file is in: by what it begins with, before what its name ends with.

A file of a known format under another name is read as what it is: the source of a PDF is no text,
whatever the file is called. What is in no known format may be plain text.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from lexiclass.decoding import marked_encoding
from lexiclass.extraction.formats import (
    DOCX,
    EMAIL,
    EPUB,
    EXCEL,
    FORMATS,
    HTML,
    MAILBOX,
    ODT,
    OLE,
    OPEN_SPREADSHEET,
    POWERPOINT,
    TAR,
    ZIP,
    DocumentFormat,
)

#: As much of a file as it takes to tell, in bytes.
HEAD_BYTES: Final = 2**16

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# POSIX.1-1988 and GNU, in the header of the first member.
_TAR_MAGIC: Final = b"ustar"
_TAR_MAGIC_AT: Final = 257
_WIDE: Final = frozenset({"utf-16", "utf-32"})
# Nothing in these goes back over what has matched: the time they take is that of one look.
_HTML_START = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html)\b",
    re.IGNORECASE | re.DOTALL,
)

# What a zip file holds tells what it is. Names of members stand in it uncompressed.
_INSIDE_ZIP: Final = (
    (b"mimetypeapplication/vnd.oasis.opendocument.text", ODT),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", OPEN_SPREADSHEET),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", POWERPOINT),
    (b"mimetypeapplication/epub+zip", EPUB),
    (b"word/document", DOCX),
    (b"xl/workbook", EXCEL),
    (b"ppt/presentation", POWERPOINT),
)

# RFC 5322, 2.2: a name of printable characters but the colon, then a colon.
_HEADER = re.compile(rb"([!-9;-~]+):")
_POSTMARK = re.compile(rb"From [^\n]{,200}?\d\d:\d\d[^\n]{,200}+\n")
# A header that no one but mail and news software writes.
_TELLING: Final = frozenset({
    b"message-id", b"newsgroups", b"received", b"return-path", b"mime-version", b"in-reply-to",
    b"xref", b"nntp-posting-host",
})  # fmt: skip
_USUAL: Final = frozenset({
    b"from", b"subject", b"date", b"to", b"organization", b"lines", b"reply-to", b"path",
    b"sender", b"cc",
})  # fmt: skip
# With any of these a block of headers is a message's, if enough others are there.
_AUTHORS: Final = frozenset({b"from", b"sender", b"reply-to"})
# What headers begin with.
_FIRST: Final = _TELLING | _AUTHORS | {b"subject", b"date"}


def recognise(name: str, data: bytes) -> DocumentFormat | None:
    """Return the format of a file, or nothing where it may be plain text.

    Args:
        name: What the file is called.
        data: Its content, or the beginning of it: :data:`HEAD_BYTES` are enough, and for a zip file
            as many of its end, where the names of what is inside are.
    """
    ending = PurePath(name).suffix.lower()
    named = next((known for known in FORMATS if ending and ending in known.endings), None)
    found = _by_content(data)
    if found is ZIP:
        return _inside_zip(data) or (named if named in _ZIPPED else ZIP)
    # Excel's own .xls, and an .xlsx under a password, are OLE files.
    return named if found is OLE and named is EXCEL else found or named


_ZIPPED: Final = tuple(found for _, found in _INSIDE_ZIP)


def begins_message(postmark: bytes, first: bytes, *, is_after_empty: bool) -> bool:
    """Whether two lines of a mailbox are the postmark of a message and its first header.

    RFC 4155, appendix A has the postmark: From, who sent it, and when. Without the time it takes an
    empty line before it and a header that only messages have: else it may be a sentence.
    """
    header = _HEADER.match(first)
    if header is None or not postmark.startswith(b"From "):
        return False
    is_first = header[1].lower() in _FIRST
    return _POSTMARK.match(postmark) is not None or (is_after_empty and is_first)


def _by_content(data: bytes) -> DocumentFormat | None:
    if (marked := marked_encoding(data)) in _WIDE:
        data = data[:HEAD_BYTES].decode(marked, "replace").encode()
        # Of formats that are text, one that has such a mark can be read as a message alone.
        return EMAIL if _is_message(data.lstrip()) else None
    # What has a mark of text may have blanks before it.
    head = data[:HEAD_BYTES].removeprefix(_BYTE_ORDER_MARK).lstrip()
    for known in FORMATS:
        if known.magic and (data.startswith(known.magic) or head.startswith(known.magic)):
            return known
    if data[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return TAR
    if _HTML_START.match(head):
        return HTML
    if _POSTMARK.match(head) and _HEADER.match(head, head.find(b"\n") + 1):
        return MAILBOX
    if _is_message(head):
        return EMAIL
    return None


def _inside_zip(data: bytes) -> DocumentFormat | None:
    return next((known for mark, known in _INSIDE_ZIP if mark in data), None)


def _is_message(head: bytes) -> bool:
    """Whether it begins with the headers of an e-mail or of a news article."""
    names: set[bytes] = set()
    ended = False
    for line in head.splitlines():
        if not line:
            ended = True
            break
        if line[:1] in b" \t" and names:
            continue
        match = _HEADER.match(line)
        if match is None:
            break
        names.add(match[1].lower())
    if not names & _AUTHORS:
        return False
    if names & _TELLING:
        return len(names) > 2 or ended
    return ended and len(names & _USUAL) > 1
