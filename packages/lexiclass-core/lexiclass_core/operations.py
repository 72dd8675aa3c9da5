"""The operations: what a task can be, each declared once.

Who submits, runs, lists or documents them reads :data:`OPERATIONS`. A further one has its request
and result in :mod:`lexiclass_core.schemas`, its row here, its actor in ``actors/``, its service in
``lexiclass_worker/services/``, and if a child of the sandbox computes, its job in
``lexiclass_worker/jobs/`` and what does it in ``lexiclass_worker/ml/``. A package with an operation
of its own calls :func:`declare` where its request is defined.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import (
    DeleteProject,
    DescribeDocument,
    EraseDocuments,
    EvaluateFieldModel,
    IndexDocumentChunk,
    IndexDocuments,
    PredictDocumentChunk,
    PredictFieldDocuments,
    Request,
    Result,
    TrainFieldModel,
)


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
class Operation:
    """What everybody must know of an operation; its service is the worker's.

    Attributes:
        request: Its arguments. Their ``actor_name`` is its name, in messages and in task rows,
            their ``result_type`` what it comes to.
        priority: Lower runs first; of messages that have none of their own.
        time_limit_s: Longest one run may take, in seconds, before it fails with ``TIME_LIMIT``.
        project_limit: Most such tasks to run at a time on a project; None for any number.
        uses_model: Whether it works with the version that serves, unless it names another.
        quotes_documents: Whether its task or its files may say what is in a document.
        part_of: Request of the operation whose tasks have these as parts, which only workers send.
    """

    request: type[Request]
    queue: QueueName
    priority: int
    time_limit_s: float
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    project_limit: int | None = None
    uses_model: bool = False
    quotes_documents: bool = False
    part_of: type[Request] | None = None

    @property
    def name(self) -> str:
        """What it is called in messages and in task rows."""
        return self.request.actor_name

    @property
    def result(self) -> type[Result]:
        """What it comes to."""
        return self.request.result_type()


_declared: Final[dict[str, Operation]] = {}

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(_declared)
"""Every operation by its name."""


def declare(operation: Operation) -> None:
    """Add an operation.

    Raises:
        ValueError: If another one has its name.
    """
    if operation.name in _declared:
        raise ValueError(f"there is an operation {operation.name} already")
    _declared[operation.name] = operation


def queues_of_parts(queues: Collection[str]) -> set[QueueName]:
    """The queues in which the parts of some queues' tasks wait."""
    return {
        each.queue
        for each in OPERATIONS.values()
        if each.part_of is not None and OPERATIONS[each.part_of.actor_name].queue in queues
    }


for _operation in (
    Operation(
        request=IndexDocuments,
        queue=QueueName.INDEXING,
        priority=20,
        time_limit_s=4 * 3600,
        # An index has one writer; a second task would wait for it on a thread.
        project_limit=1,
    ),
    Operation(
        request=IndexDocumentChunk,
        queue=QueueName.INDEXING,
        # After a small indexing, which takes the next thread that is free.
        priority=25,
        time_limit_s=4 * 3600,
        part_of=IndexDocuments,
    ),
    Operation(
        request=TrainFieldModel,
        queue=QueueName.TRAINING,
        priority=20,
        time_limit_s=4 * 3600,
        # Training takes minutes to hours: trying again is dear, so it is tried less often.
        retry=RetryPolicy(max_attempts=3, min_backoff_s=5.0),
        quotes_documents=True,
    ),
    Operation(
        request=EvaluateFieldModel,
        queue=QueueName.TRAINING,
        # It is short beside a training and somebody waits for it.
        priority=10,
        time_limit_s=3600,
        uses_model=True,
        quotes_documents=True,
    ),
    Operation(
        request=PredictFieldDocuments,
        queue=QueueName.PREDICTION,
        priority=0,
        time_limit_s=3600,
        uses_model=True,
        quotes_documents=True,
    ),
    Operation(
        request=DescribeDocument,
        queue=QueueName.PREDICTION,
        # Somebody waits for it, but not as many as for predictions.
        priority=5,
        time_limit_s=3600,
        retry=RetryPolicy(max_attempts=2),
        quotes_documents=True,
    ),
    Operation(
        request=PredictDocumentChunk,
        queue=QueueName.BULK,
        # After a small prediction, which takes the next thread that is free.
        priority=10,
        time_limit_s=3600,
        uses_model=True,
        quotes_documents=True,
        part_of=PredictFieldDocuments,
    ),
    # Both wait for what runs: they should not wait for an indexing as well. Either
    # has one writer, as an index has; two deletions of a project would cancel each other.
    Operation(
        request=EraseDocuments,
        queue=QueueName.INDEXING,
        priority=10,
        time_limit_s=4 * 3600,
        project_limit=1,
    ),
    Operation(
        request=DeleteProject,
        queue=QueueName.INDEXING,
        priority=10,
        time_limit_s=4 * 3600,
        project_limit=1,
    ),
):
    declare(_operation)
