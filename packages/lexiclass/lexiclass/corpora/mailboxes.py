"""Mailboxes: e-mail messages one after the other in a file, each behind a line "From ..."."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

# RFC 4155, appendix A. Without the empty line before it, it is a sentence of the message.
_POSTMARK: Final = b"From "
# The form mboxrd: a line of a message that looks like a postmark has one > more than it was written
# with.
_QUOTED_POSTMARK = re.compile(rb">+From ")


def split_messages(lines: Iterable[bytes], max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Return the messages of a mailbox, and the line at which each begins.

    Args:
        lines: Of the file, with their ends.
        max_bytes: Largest message, in bytes; a larger one is None.
    """
    begins, size = 0, 0
    message: list[bytes] = []
    after_empty = True
    for number, line in enumerate(lines, start=1):
        if after_empty and line.startswith(_POSTMARK):
            if begins:
                yield begins, None if size > max_bytes else b"".join(message)
            begins, size = number, 0
            message.clear()
            continue
        after_empty = not line.strip()
        size += len(line)
        if size <= max_bytes:
            message.append(line[1:] if _QUOTED_POSTMARK.match(line) else line)
    if begins:
        yield begins, None if size > max_bytes else b"".join(message)
