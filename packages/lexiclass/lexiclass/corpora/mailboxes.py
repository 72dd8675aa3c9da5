"""Mailboxes: e-mail messages one after the other in a file, each behind a line "From ..."."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from lexiclass.extraction.recognition import begins_message

# The form mboxrd: a line of a message that looks like a postmark has one > more than it was written
# with.
_QUOTED_POSTMARK = re.compile(rb">+From ")
# A longer line is taken in pieces: it is no postmark, and its message too large or binary.
_LONGEST_LINE: Final = 2**20


class Message(NamedTuple):
    """A message of a mailbox.

    Attributes:
        line: At which it begins.
        content: Of no more bytes than were asked for.
        refusal: Why it has none; else empty.
    """

    line: int
    content: bytes
    refusal: str = ""


def split_messages(file: BinaryIO, max_bytes: int) -> Iterator[Message]:
    """Return the messages of a mailbox; of one that is too large, in bytes, the place alone."""
    begins, size, number = 1, 0, 1
    content: list[bytes] = []
    has_postmark, is_after_empty = False, True
    line = file.readline(_LONGEST_LINE)
    while line:
        following = file.readline(_LONGEST_LINE)
        if begins_message(line, following, is_after_empty=is_after_empty):
            yield from _message(begins, content, size, max_bytes, has_postmark=has_postmark)
            begins, size, has_postmark = number, 0, True
            content.clear()
        else:
            size += len(line)
            if size <= max_bytes:
                content.append(line[1:] if _QUOTED_POSTMARK.match(line) else line)
        is_after_empty = line in {b"\n", b"\r\n"}
        number += line.endswith(b"\n")
        line = following
    yield from _message(begins, content, size, max_bytes, has_postmark=has_postmark)


def _message(
    line: int, content: list[bytes], size: int, max_bytes: int, *, has_postmark: bool
) -> Iterator[Message]:
    if size > max_bytes:
        yield Message(line, b"", "too large")
    elif has_postmark:
        yield Message(line, b"".join(content))
    elif any(map(bytes.strip, content)):
        yield Message(line, b"", 'no message: has no line "From ..." before it')
