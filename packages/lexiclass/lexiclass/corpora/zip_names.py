"""What the files of a zip archive are called, also where it doesn't say what their names are in.

A name is in UTF-8 if its flag says so. Without it PKWARE's APPNOTE has CP437, but programs write
UTF-8 (those of macOS and Linux), or the code page of the machine that they run on.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Final

from lexiclass.code_pages import WINDOWS_1252, decodes, guess_code_page
from lexiclass.decoding import UTF_8
from lexiclass.western_text import oddity_of

# PKWARE's APPNOTE, 4.4.4 and 4.6.9.
_IN_UTF_8: Final = 0x800
_UNICODE_PATH: Final = 0x7075
_UNSAID: Final = "cp437"
_SAMPLE_BYTES: Final = 2**16


def restore_names(members: Iterable[zipfile.ZipInfo]) -> None:
    """Give members the names they have, where the module zipfile took them for CP437."""
    unsaid: list[tuple[zipfile.ZipInfo, bytes]] = []
    for member in members:
        if member.flag_bits & _IN_UTF_8 or (not member.extra and member.orig_filename.isascii()):
            continue
        raw = member.orig_filename.encode(_UNSAID)
        if (name := _unicode_path(member.extra, raw)) is not None:
            member.filename = name
        elif decodes(_named(raw), UTF_8):
            member.filename = _named(raw).decode()
        else:
            unsaid.append((member, _named(raw)))
    if unsaid:
        code_page = _code_page(name for _, name in unsaid)
        for member, raw in unsaid:
            member.filename = raw.decode(code_page if decodes(raw, code_page) else _UNSAID)


def _named(raw: bytes) -> bytes:
    # As zipfile has it.
    return raw.partition(b"\0")[0]


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name that Info-ZIP's extra field has, if it is one of the name that is there."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        data, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind != _UNICODE_PATH or len(data) <= 5:
            continue
        version, checksum = struct.unpack("<BL", data[:5])
        name = _named(data[5:])
        if version == 1 and checksum == zlib.crc32(raw) and decodes(name, UTF_8):
            return name.decode()
    return None


def _code_page(names: Iterable[bytes]) -> str:
    """The code page of all names: CP437 where nothing speaks for another."""
    # Folders are in the names of all their files.
    parts = {part: None for name in names for part in name.split(b"/") if not part.isascii()}
    sample = b"\n".join(parts)[:_SAMPLE_BYTES]
    found = guess_code_page(sample)
    if found is None:
        return _UNSAID
    if found != WINDOWS_1252:
        return found
    western = oddity_of(sample.decode(WINDOWS_1252, errors="replace"))
    return found if western < oddity_of(sample.decode(_UNSAID)) else _UNSAID
