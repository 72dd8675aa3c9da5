"""Mailboxes: e-mail messages one after the other in a file, each behind a line "From ..."."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

# RFC 4155, appendix A. Without the empty line before it, it is a sentence of the message.
_POSTMARK: Final = b"From "
# The form mboxrd: a line of a message that looks like a postmark has one > more than it was written
# with.
_QUOTED_POSTMARK = re.compile(rb">+From ")


# A longer line is taken in pieces: it is no postmark, and its message too large or binary.
_LONGEST_LINE: Final = 2**20


def split_messages(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Return the messages of a mailbox, and the line at which each begins.

    Args:
        file: The mailbox.
        max_bytes: Largest message, in bytes; a larger one is None.
    """
    begins, size, number = 0, 0, 1
    message: list[bytes] = []
    after_empty = True
    while line := file.readline(_LONGEST_LINE):
        if after_empty and line.startswith(_POSTMARK):
            if begins:
                yield begins, None if size > max_bytes else b"".join(message)
            begins, size = number, 0
            message.clear()
        elif size <= max_bytes:
            size += len(line)
            message.append(line[1:] if _QUOTED_POSTMARK.match(line) else line)
        after_empty = line in {b"\n", b"\r\n"}
        number += line.endswith(b"\n")
    if begins:
        yield begins, None if size > max_bytes else b"".join(message)
