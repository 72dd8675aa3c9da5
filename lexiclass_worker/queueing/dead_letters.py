"""Messages that were given up, with what their tasks say of it."""

import asyncio
import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from lexiclass_core.db import SessionFactory
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.queue_config import QueueName, priority_of
from lexiclass_core.schemas import Request, TaskError
from lexiclass_core.storable import is_storable, storable
from lexiclass_core.tasks.errors import InvalidTask
from lexiclass_core.tasks.reading import by_message_ids
from lexiclass_core.tasks.resubmission import request_once_more
from lexiclass_core.tasks.submission import SubmitOptions
from lexiclass_worker.queueing.entries import EntryRules
from lexiclass_worker.queueing.envelopes import is_of_task
from lexiclass_worker.queueing.messages import DeadLetter, MessageStore

# Whose rows are asked for at once; each may have megabytes.
_PIECE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters are meant; all of them when nothing is said.

    Attributes:
        keys: With these keys.
        queue: Of this queue.
        type: For this actor.
        code: Of tasks that failed with this code.
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
    """A dead letter and its task's row, if it has one.

    Attributes:
        refusal: Why no worker runs the message, if it has no row; None if one would.
    """

    letter: DeadLetter
    task: Task | None
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
        return TaskError.of_row(self.task.error) if self.task is not None else None

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
            options = self.letter.fields.get("options")
            options = options if isinstance(options, dict) else {}
            named = options.get("correlation_id")
            correlation_id = storable(named) if isinstance(named, str) else None
            priority = options.get("priority")
        return {
            "correlation_id": correlation_id,
            "priority": priority_of(priority),
            "idempotency_key": f"replay of {self.letter.key}",
        }


async def find(
    sessions: SessionFactory,
    messages: MessageStore,
    selection: Selection,
    rules: EntryRules,
    *,
    limit: int | None = None,
) -> list[DeadTask]:
    """The dead letters that are meant, newest first.

    They are read from the newest on, some at a time, until there are enough.

    Args:
        sessions: The database.
        messages: Redis.
        selection: Which are meant.
        rules: What workers run.
        limit: At most so many; all of them if None.

    Raises:
        RedisError: If Redis does not answer.
    """
    queues = list(QueueName) if selection.queue is None else [selection.queue]
    letters = heapq.merge(
        *map(messages.dead_letters, queues), key=lambda letter: letter.died_at, reverse=True
    )
    found: list[DeadTask] = []
    while limit is None or len(found) < limit:
        some = await asyncio.to_thread(lambda: list(islice(letters, _PIECE)))
        if not some:
            break
        dead = await _with_tasks(sessions, some, rules)
        found += [each for each in dead if _is_meant(each, selection)]
    return found[:limit]


async def _with_tasks(
    sessions: SessionFactory, letters: Sequence[DeadLetter], rules: EntryRules
) -> list[DeadTask]:
    # One that no row can hold would have PostgreSQL refuse to look for any.
    named = {letter.message_id for letter in letters if letter.message_id is not None}
    ids = {message_id for message_id in named if is_storable(message_id)}
    async with sessions() as session:
        rows = await by_message_ids(session, ids)
    return [_dead_task(letter, rows.get(letter.message_id), rules) for letter in letters]


def _dead_task(letter: DeadLetter, task: Task | None, rules: EntryRules) -> DeadTask:
    if task is not None and is_of_task(letter.fields, task):
        return DeadTask(letter=letter, task=task)
    refusal = rules.refusal(letter.entry, letter.queue, letter.raw_key)
    if refusal is None and task is not None:
        refusal = f"it has the id of task {task.id}, which has another actor, project or request"
    return DeadTask(letter=letter, task=None, refusal=refusal)


def _is_meant(dead: DeadTask, selection: Selection) -> bool:
    age = datetime.now(UTC) - dead.letter.died_at
    return (
        (not selection.keys or dead.letter.key in selection.keys)
        and selection.type in (None, dead.type)
        and selection.code in (None, dead.code)
        and (selection.older_than is None or age >= selection.older_than)
    )
