"""Which document is being read, noted in memory that the worker reads after a crash.

The memory is shared with the worker, and with processes that the job forks. A note is two numbers,
written without a system call.
"""

import os
from collections.abc import MutableSequence

# Set in a child only, for all its jobs: what reads documents is called through the library.
_notes: MutableSequence[int] | None = None


def share(notes: MutableSequence[int]) -> None:
    """Write to this memory: pairs of a process id and a document id, 0 for none."""
    global _notes  # noqa: PLW0603 - see above
    _notes = notes


def note(document_id: int) -> None:
    """Say that this process has begun to read a document; outside a child nothing happens."""
    if _notes is not None:
        pid = os.getpid()
        # Process ids that follow each other have places of their own.
        place = 2 * (pid % (len(_notes) // 2))
        _notes[place + 1] = document_id
        _notes[place] = pid


def clear() -> None:
    """Forget all notes: none of these documents is being read any more."""
    if _notes is not None:
        for place in range(0, len(_notes), 2):
            _notes[place] = 0
