"""Messages that were given up, and what became of them, as plain values."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.db.values import object_of
from lexiclass_core.models import TaskStatus
from lexiclass_core.queue_config import QueueName, priority_of
from lexiclass_core.queueing.envelopes import kept_correlation_id
from lexiclass_core.queueing.messages import DeadLetter
from lexiclass_core.schemas import Request, TaskError
from lexiclass_core.tasks.errors import InvalidTask
from lexiclass_core.tasks.resubmission import request_once_more
from lexiclass_core.tasks.submission import SubmitOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterSelection:
    """Which dead letters are meant; all of them when nothing is said.

    Attributes:
        older_than: Given up longer ago than this.
    """

    keys: Collection[str] = ()
    queue: QueueName | None = None
    type: str | None = None
    code: str | None = None
    older_than: timedelta | None = None

    def __bool__(self) -> bool:
        return any((self.keys, self.queue, self.type, self.code, self.older_than))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTask:
    """A dead letter and its task, if it has one.

    Attributes:
        refusal: Why no worker runs the message, if it has no row; None if one would.
    """

    letter: DeadLetter
    task: TaskSnapshot | None
    refusal: str | None = None

    @property
    def type(self) -> str | None:
        """The actor that it names."""
        if self.task is not None:
            return self.task.type
        named = self.letter.fields.get("actor_name")
        return named if isinstance(named, str) else None

    @property
    def error(self) -> TaskError | None:
        """What its task failed with."""
        return None if self.task is None else self.task.error

    @property
    def code(self) -> str | None:
        """The code of that."""
        return self.error.code if self.error is not None else None

    def request(self) -> Request:
        """What is to be submitted to run it once more.

        Raises:
            InvalidTask: If that cannot be, or makes no sense: the message says why.
        """
        if self.refusal is not None:
            raise InvalidTask(f"no worker runs it: {self.refusal}")
        if self.task is None:
            kwargs = self.letter.fields.get("kwargs")
            return request_once_more(self.type, kwargs, parent_id=None)
        if self.task.status == TaskStatus.SUCCEEDED:
            raise InvalidTask("its task has succeeded")
        return request_once_more(self.type, self.task.request, parent_id=self.task.parent_id)

    def options(self) -> SubmitOptions:
        """How that is to be submitted: as it was.

        The idempotency key makes it one new task, also if the replay is cut off and run again.
        """
        if self.task is not None:
            correlation_id, priority = self.task.correlation_id, self.task.priority
        else:
            options = object_of(self.letter.fields.get("options"))
            named = options.get("correlation_id")
            correlation_id = named if isinstance(named, str) else None
            priority = options.get("priority")
        return {
            "correlation_id": correlation_id and kept_correlation_id(correlation_id),
            "priority": priority_of(priority),
            "idempotency_key": f"replay of {self.letter.key}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What became of a dead letter.

    Attributes:
        dead: Which one it is, or was.
        done: What was done with it, or would be, in words.
        new_task_id: The task that its request was submitted as.
        is_removed: Whether this has removed it.
        has_failed: Whether it is still there because something failed.
    """

    dead: DeadTask
    done: str
    new_task_id: int | None = None
    is_removed: bool = False
    has_failed: bool = False
