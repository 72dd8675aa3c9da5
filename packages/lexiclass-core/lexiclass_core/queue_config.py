"""Queues: their names, which actor goes where, and how each is retried and bounded.

One :class:`Route` per actor. Of the messages of a queue, those with a lower ``priority`` run first,
and of those with the same, what was sent first.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class QueueName(StrEnum):
    """The lanes; each can have workers of its own (`dramatiq actors --queues prediction`).

    ``BULK`` lies beside ``PREDICTION`` and is served by the same workers: the chunks of a large
    prediction wait there, so that a small one finds no queue before it.
    """

    INDEXING = "indexing"
    TRAINING = "training"
    PREDICTION = "prediction"
    BULK = "bulk"


class ActorName(StrEnum):
    """The actors. The name is what a raw message carries as ``actor_name``.

    Six are for everybody; workers send ``PREDICT_DOCUMENT_CHUNK`` to each other.
    """

    INDEX_DOCUMENTS = "index_documents"
    TRAIN_FIELD_MODEL = "train_field_model"
    PREDICT_FIELD_DOCUMENTS = "predict_field_documents"
    EVALUATE_FIELD_MODEL = "evaluate_field_model"
    PREDICT_DOCUMENT_CHUNK = "predict_document_chunk"
    ERASE_DOCUMENTS = "erase_documents"
    DELETE_PROJECT = "delete_project"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a transient failure is tried again.

    Attributes:
        max_attempts: Runs in all, the first included.
        max_crashes: Runs that may end without a word, because the process that did the work died
            or its worker did. The last of them is the task's last.
        min_backoff_s: Wait before the second attempt, in seconds; doubles from there.
        max_backoff_s: Longest wait between two attempts, in seconds.
        full_disk_backoff_s: Wait before the next attempt where the last one found a disk full, in
            seconds; doubles from there, to an hour at most: making room takes people.
    """

    max_attempts: int = 5
    max_crashes: int = 3
    min_backoff_s: float = 2.0
    max_backoff_s: float = 300.0
    full_disk_backoff_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an actor's messages go and how they are handled.

    Attributes:
        queue: The queue the messages wait in.
        priority: Lower runs first; of messages that have none of their own.
        time_limit_s: Longest one run may take, in seconds, before it fails with ``TIME_LIMIT``.
        retry: Policy for transient failures.
    """

    queue: QueueName
    priority: int
    time_limit_s: float
    retry: RetryPolicy


ROUTES: Final = MappingProxyType(
    {
        ActorName.INDEX_DOCUMENTS: Route(
            queue=QueueName.INDEXING, priority=20, time_limit_s=4 * 3600, retry=RetryPolicy()
        ),
        # Training takes minutes to hours: trying again is dear, so it is tried less often.
        ActorName.TRAIN_FIELD_MODEL: Route(
            queue=QueueName.TRAINING,
            priority=20,
            time_limit_s=4 * 3600,
            retry=RetryPolicy(max_attempts=3, min_backoff_s=5.0),
        ),
        # An evaluation is short beside a training and somebody waits for it: it goes first.
        ActorName.EVALUATE_FIELD_MODEL: Route(
            queue=QueueName.TRAINING, priority=10, time_limit_s=3600, retry=RetryPolicy()
        ),
        ActorName.PREDICT_FIELD_DOCUMENTS: Route(
            queue=QueueName.PREDICTION, priority=0, time_limit_s=3600, retry=RetryPolicy()
        ),
        # After a small prediction, which takes the next thread that is free.
        ActorName.PREDICT_DOCUMENT_CHUNK: Route(
            queue=QueueName.BULK, priority=10, time_limit_s=3600, retry=RetryPolicy()
        ),
        # Both wait for what runs. What somebody wants gone should not wait for an indexing as well.
        ActorName.ERASE_DOCUMENTS: Route(
            queue=QueueName.INDEXING, priority=10, time_limit_s=4 * 3600, retry=RetryPolicy()
        ),
        ActorName.DELETE_PROJECT: Route(
            queue=QueueName.INDEXING, priority=10, time_limit_s=4 * 3600, retry=RetryPolicy()
        ),
    }
)
"""Every actor's route."""

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
