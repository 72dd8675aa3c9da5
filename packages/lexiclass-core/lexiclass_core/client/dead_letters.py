"""Messages that were given up: found, submitted once more, removed. ``client.dead_letters``."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client.blocking import Blocking, blocking
from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.queue_config import QueueName, priority_of
from lexiclass_core.queueing.entries import EntryRules
from lexiclass_core.queueing.envelopes import is_of_task
from lexiclass_core.queueing.messages import DeadLetter, MessageStore
from lexiclass_core.schemas import Request, TaskError
from lexiclass_core.storable import is_storable, storable
from lexiclass_core.tasks.errors import InvalidTask, TaskClientError
from lexiclass_core.tasks.reading import by_message_ids
from lexiclass_core.tasks.resubmission import request_once_more
from lexiclass_core.tasks.submission import SubmitOptions

T = TypeVar("T")

# Whose rows are asked for at once; each may have megabytes.
_PIECE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterSelection:
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


_ALL: Final = DeadLetterSelection()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTask:
    """A dead letter and its task, if it has one.

    Attributes:
        letter: The message.
        task: The task.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What became of a dead letter.

    Attributes:
        dead: Which one it is, or was.
        done: What was done with it, or would be, in words.
        new_task_id: The task that its request was submitted as.
        has_failed: Whether it is still there because something failed.
    """

    dead: DeadTask
    done: str
    new_task_id: int | None = None
    has_failed: bool = False


class AsyncDeadLetters:
    """Messages that were given up, newest first.

    Every method raises BrokerUnavailable if Redis does not answer, and DatabaseUnavailable if
    PostgreSQL cannot be reached.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractAsyncContextManager[AsyncSession]],
        look: Callable[[Callable[[MessageStore], Any]], Any],
        submit: Callable[..., Awaitable[TaskSnapshot]],
        rules: EntryRules,
    ) -> None:
        self._transaction = transaction
        self._look = look
        self._submit = submit
        self._rules = rules

    async def list(
        self, selection: DeadLetterSelection = _ALL, *, limit: int | None = None
    ) -> Sequence[DeadTask]:
        """The dead letters that are meant, or so many of them.

        They are read from the newest on, some at a time, until there are enough.
        """
        queues = list(QueueName) if selection.queue is None else [selection.queue]

        def open_letters(store: MessageStore) -> Iterator[DeadLetter]:
            letters = map(store.dead_letters, queues)
            return heapq.merge(*letters, key=lambda letter: letter.died_at, reverse=True)

        letters = await self._ask(open_letters)
        found: list[DeadTask] = []
        while limit is None or len(found) < limit:
            some = await self._ask(lambda _: list(islice(letters, _PIECE)))
            if not some:
                break
            found += [each for each in await self._with_tasks(some) if _is_meant(each, selection)]
        return found[:limit]

    async def replay(
        self, selection: DeadLetterSelection, *, dry_run: bool = False
    ) -> Sequence[Handled]:
        """Submit the requests of dead letters as new tasks, and remove those that are submitted.

        Those of cancelled tasks are left out, unless their code or their keys ask for them. One
        that fails keeps none of the others from being submitted, or told of.

        Args:
            selection: Which.
            dry_run: Say what would be done, and do nothing.
        """
        found = await self.list(selection)
        if not selection.keys and selection.code is None:
            found = [dead for dead in found if dead.code != ErrorCode.CANCELLED]
        return [await self._replay(dead, dry_run=dry_run) for dead in found]

    async def purge(
        self, selection: DeadLetterSelection, *, dry_run: bool = False
    ) -> Sequence[Handled]:
        """Remove dead letters from Redis; the rows of their tasks stay.

        Args:
            selection: Which.
            dry_run: Say what would be removed, and remove nothing.
        """
        handled = []
        for dead in await self.list(selection):
            is_there = dry_run or await self._remove(dead)
            done = "would be removed" if dry_run else "removed" if is_there else "gone already"
            handled.append(Handled(dead=dead, done=done))
        return handled

    async def _replay(self, dead: DeadTask, *, dry_run: bool) -> Handled:
        try:
            request = dead.request()
            if dry_run:
                return Handled(dead=dead, done="would be submitted")
            new = await self._submit(request, **dead.options())
        except InvalidTask as error:
            return Handled(dead=dead, done=f"left alone: {error}")
        except TaskClientError as error:
            return Handled(dead=dead, done=f"failed: {error}", has_failed=True)
        done = f"submitted as task {new.id}"
        try:
            await self._remove(dead)
        except BrokerUnavailable as error:
            done = f"{done}; still a dead letter, for {error}"
            return Handled(dead=dead, done=done, new_task_id=new.id, has_failed=True)
        return Handled(dead=dead, done=done, new_task_id=new.id)

    async def _remove(self, dead: DeadTask) -> bool:
        return await self._ask(lambda store: store.remove_dead_letter(dead.letter))

    async def _ask(self, work: Callable[[MessageStore], T]) -> T:
        found: T = await asyncio.to_thread(self._look, work)
        return found

    async def _with_tasks(self, letters: Sequence[DeadLetter]) -> Sequence[DeadTask]:
        # One that no row can hold would have PostgreSQL refuse to look for any.
        named = {letter.message_id for letter in letters if letter.message_id is not None}
        ids = {message_id for message_id in named if is_storable(message_id)}
        async with self._transaction() as session:
            rows = await by_message_ids(session, ids)
        return [_dead_task(each, rows.get(each.message_id), self._rules) for each in letters]


class DeadLetters(Blocking[AsyncDeadLetters]):
    """:class:`AsyncDeadLetters` for code without an event loop."""

    list = blocking(AsyncDeadLetters.list)
    replay = blocking(AsyncDeadLetters.replay)
    purge = blocking(AsyncDeadLetters.purge)


def _dead_task(letter: DeadLetter, task: Task | None, rules: EntryRules) -> DeadTask:
    if task is not None and is_of_task(letter.fields, task):
        return DeadTask(letter=letter, task=TaskSnapshot.of(task))
    refusal = rules.refusal(letter.entry, letter.queue, letter.raw_key)
    if refusal is None and task is not None:
        refusal = f"it has the id of task {task.id}, which has another actor, project or request"
    return DeadTask(letter=letter, task=None, refusal=refusal)


def _is_meant(dead: DeadTask, selection: DeadLetterSelection) -> bool:
    age = datetime.now(UTC) - dead.letter.died_at
    return (
        (not selection.keys or dead.letter.key in selection.keys)
        and selection.type in (None, dead.type)
        and selection.code in (None, dead.code)
        and (selection.older_than is None or age >= selection.older_than)
    )
