"""What the short files of a folder are in that are no Unicode: decided once, by many of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from lexiclass.code_pages import decodes, guess_code_page
from lexiclass.decoding import UTF_8, has_controls, is_mostly_utf8, marked_encoding
from lexiclass.unmarked_utf16 import unmarked_utf16

_SAMPLE_BYTES: Final = 2**18
_MOST_FILES: Final = 10_000
# A long file is not to speak for all others.
_OF_A_FILE: Final = 2**13
# Of pages; it is in ASCII, and says nothing of the language.
_MARKUP: Final = re.compile(rb"<[^<>]*>")


class SharedCodePage:
    """The code page of a folder, looked for when it is first asked for.

    Of no more than 10,000 files, those in a code page are sampled.
    """

    def __init__(self, files: Callable[[], Iterable[Path]]) -> None:
        self._files = files

    @cached_property
    def name(self) -> str | None:
        """Its name in Python; None where none is likely."""
        sample = bytearray()
        for number, file in enumerate(self._files()):
            if number == _MOST_FILES or len(sample) >= _SAMPLE_BYTES:
                break
            data = _beginning(file)
            if _is_in_a_code_page(data):
                sample += _MARKUP.sub(b" ", data) + b"\n"
        return guess_code_page(bytes(sample)) if sample else None


def _beginning(file: Path) -> bytes:
    if not file.is_file():  # a pipe would be waited for
        return b""
    try:
        with file.open("rb") as opened:
            return opened.read(_OF_A_FILE)
    except OSError:  # whoever reads it as a document says so
        return b""


def _is_in_a_code_page(data: bytes) -> bool:
    return not (
        decodes(data, UTF_8)
        or marked_encoding(data) is not None
        or b"\0" in data
        or has_controls(data)
        or is_mostly_utf8(data)
        or unmarked_utf16(data) is not None
    )
