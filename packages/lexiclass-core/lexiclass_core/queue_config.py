"""Queues: their names, and the priorities of their messages.

Of the messages of a queue, those with a lower priority run first, and of those with the same, what
was sent first. What goes where is in :mod:`lexiclass_core.operations`.
"""

from enum import StrEnum
from typing import Final


class QueueName(StrEnum):
    """The queues; each can have workers of its own (`dramatiq actors --queues prediction`).

    ``BULK`` lies beside ``PREDICTION`` and is served by the same workers: the chunks of a large
    prediction wait there, so that a small one finds no queue before it.
    """

    INDEXING = "indexing"
    TRAINING = "training"
    PREDICTION = "prediction"
    BULK = "bulk"


HIGHEST_PRIORITY: Final = -1_000
"""The priority that goes before all others."""

LOWEST_PRIORITY: Final = 1_000
"""The priority that goes after all others."""


def priority_of(value: object) -> int | None:
    """What somebody has put into a message as its priority, within bounds; None if it is none."""
    if type(value) is not int:
        return None
    return max(HIGHEST_PRIORITY, min(LOWEST_PRIORITY, value))


RESULT_TTL_S: Final = 24 * 3600
"""Seconds that results stay in the result backend. The task row keeps them for good."""
