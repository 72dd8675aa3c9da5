"""Files of records as lines of text: what they are in is decided once, by all that is in them.

A byte that is no text costs its record alone. Lines come with such bytes marked
(:data:`lexiclass.decoding.MARK_BYTES`), and :meth:`TextFile.mend` makes the best of a record that
has some: of a row in Windows-1252 that was pasted into a file of UTF-8, say.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lexiclass.code_pages import (
    WINDOWS_1252,
    decodes,
    encoding_in_ascii,
    guess_code_page,
    is_western,
)
from lexiclass.corpora.records import REPLACED_BYTES
from lexiclass.corpora.sources import SourceFile
from lexiclass.decoding import (
    MARK_BYTES,
    UTF_8,
    count_marks,
    count_utf8,
    has_controls,
    has_utf8_besides,
    marked_encoding,
    replace_marks,
    unmark,
    unmarked_wide_encoding,
)
from lexiclass.errors import InvalidParameters

#: Remark on a record that is in another encoding than the file around it.
OTHER_ENCODING: Final = "in another encoding than the rest of the file"

_CHUNK_BYTES: Final = 2**20
# So many bytes of lines that are no UTF-8 say what they are in.
_SAMPLE_BYTES: Final = 2**18
_SHORTEST_LIMIT: Final = 2**24
_MOST_STRAYS: Final = 0.05
# So many lines of UTF-8 for one in a code page of a byte a character.
_GOOD_SHARE: Final = 0.25
_ASCII: Final = bytes(range(0x80))
# Programs of DOS end a text with this character, and fill the last block with it.
_DOS_END: Final = "\x1a"
_END_MARKS: Final = re.compile(r"\x1a+(?=[\r\n]*$)")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of records, and what its text is encoded in.

    Attributes:
        file: The file.
        encoding: What it is in.
        code_page: What lines of a file of UTF-8 are in that are no UTF-8; None in other files.
        has_bad_bytes: Whether some of it is not in that encoding, or may be.
        max_line: Characters that a line can have.
    """

    file: SourceFile
    encoding: str
    code_page: str | None
    has_bad_bytes: bool
    max_line: int

    @classmethod
    def open(cls, file: SourceFile, *, max_bytes: int) -> TextFile:
        """Find out what a file is in: reads all of it. A line can be four documents long.

        Raises:
            InvalidParameters: If it is no text.
        """
        encoding, code_page = _encodings_of(file)
        has_bad_bytes = encoding != UTF_8 or code_page is not None
        return cls(file, encoding, code_page, has_bad_bytes, max(4 * max_bytes, _SHORTEST_LIMIT))

    def lines(self) -> Iterator[str]:
        """Read the lines, each with its end: LF, CRLF or CR.

        Raises:
            InvalidParameters: If one is too long.
        """
        with self.text() as text:
            number, limit, readline = 0, self.max_line, text.readline
            while line := readline(limit):
                number += 1
                if len(line) == limit and line[-1] not in "\r\n":
                    raise InvalidParameters(
                        f"{self.file.name}:{number}: the line has more than {self.max_line:,} "
                        "characters"
                    )
                yield line if _DOS_END not in line else _END_MARKS.sub("", line)

    def text(self) -> io.TextIOWrapper:
        """Open it as text, line ends as they are, bytes that are none marked."""
        encoding = "utf-8-sig" if self.encoding == UTF_8 else self.encoding
        return io.TextIOWrapper(self.file.open(), encoding=encoding, errors=MARK_BYTES, newline="")

    def mend(self, text: str) -> tuple[str, str, str | None]:
        """Make the best of a record, or a value of one, that holds marked bytes.

        Returns:
            The text without marks, what it is in, and a remark, if there is something to say.
        """
        num_marks = count_marks(text)
        if not num_marks:
            return text, self.encoding, None
        num_others = sum(not character.isascii() for character in text) - num_marks
        if self.code_page is not None and num_others < num_marks:
            data = unmark(text, self.encoding)
            if decodes(data, self.code_page):
                return data.decode(self.code_page), self.code_page, OTHER_ENCODING
        return replace_marks(text), self.encoding, REPLACED_BYTES


def _encodings_of(file: SourceFile) -> tuple[str, str | None]:
    with file.open() as opened:
        head = opened.read(_CHUNK_BYTES)
        encoding = marked_encoding(head)
        if encoding not in {None, "utf-8-sig"}:
            return str(encoding), None
        if b"\0" in head:
            if wide := unmarked_wide_encoding(head):
                return wide, None
            if has_controls(head):
                raise InvalidParameters(f"{file.name} is no table of text: binary")
        survey = _Survey()
        while head:
            survey.add(head)
            head = opened.read(_CHUNK_BYTES)
    return survey.verdict(file.name)


class _Survey:
    """Looks at all of a file whose bytes are no UTF-16 or UTF-32."""

    def __init__(self) -> None:
        self._rest = b""
        self._size = self._good = self._bad = 0
        self._good_lines = self._bad_lines = 0
        self._sample = bytearray()
        self._good_sample = bytearray()
        self._in_ascii: str | None = None

    def add(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        # Whole lines only, so that no character is cut in two. No encoding but UTF-16 and UTF-32,
        # which are dealt with before, has a byte 0x0A in a character.
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1 or data.rfind(b"\r") + 1 or len(data)
        self._rest = data[end:]
        self._look(data[:end])

    def verdict(self, name: str) -> tuple[str, str | None]:
        """What the file is in, and its lines that are not in that."""
        self._look(self._rest)
        if not self._bad:
            in_ascii = None if self._good else self._in_ascii
            return in_ascii or UTF_8, None
        sample = bytes(self._sample)
        code_page = None if has_controls(sample) else guess_code_page(sample)
        if code_page in {WINDOWS_1252, None}:
            is_utf8 = has_utf8_besides(self._good, self._bad)
        else:
            is_utf8 = self._good > self._bad
        if is_utf8 or self._has_lines_of_utf8(sample, code_page):
            # Few lines say less of their language than those of UTF-8 around them.
            text = self._good_sample.decode(UTF_8, errors="ignore")
            return UTF_8, WINDOWS_1252 if code_page is None or is_western(text) else code_page
        if code_page is None:
            # In no code page, but so few that they are strays: they cost their rows alone.
            if has_controls(sample) or self._bad > self._size * _MOST_STRAYS:
                raise InvalidParameters(f"{name} is no table of text: unknown encoding")
            return UTF_8, WINDOWS_1252
        return code_page, None

    def _has_lines_of_utf8(self, sample: bytes, code_page: str | None) -> bool:
        """Whether so many lines are UTF-8 that this is no chance, as it can be of short Chinese."""
        if code_page is None:
            return False
        is_single_byte = len(sample.decode(code_page, errors=MARK_BYTES)) == len(sample)
        return is_single_byte and self._good_lines >= self._bad_lines * _GOOD_SHARE

    def _look(self, data: bytes) -> None:
        self._size += len(data)
        if data.isascii():
            if self._in_ascii is None:
                self._in_ascii = encoding_in_ascii(data)
            return
        if decodes(data, UTF_8):
            self._good += len(data.translate(None, _ASCII)) // 2  # bytes a character, or more
            self._good_lines += data.count(b"\n") + 1
            self._good_sample += data[: max(0, _SAMPLE_BYTES - len(self._good_sample))]
            return
        good, bad = count_utf8(data)
        self._good += good
        self._bad += bad
        for line in data.splitlines(keepends=True):
            if not line.isascii():
                self._take(line)

    def _take(self, line: bytes) -> None:
        is_good = decodes(line, UTF_8)
        self._good_lines += is_good
        self._bad_lines += not is_good
        sample = self._good_sample if is_good else self._sample
        sample += line[: max(0, _SAMPLE_BYTES - len(sample))]
