"""Messages that were given up: found, submitted once more, removed. ``client.dead_letters``."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, Final, Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client.blocking import Blocking, blocking
from lexiclass_core.client.dead_tasks import DeadLetterSelection, DeadTask, Handled
from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.codes import ErrorCode
from lexiclass_core.db import Transaction
from lexiclass_core.models import Task
from lexiclass_core.queue_config import QueueName
from lexiclass_core.queueing.entries import EntryRules
from lexiclass_core.queueing.envelopes import is_of_task
from lexiclass_core.queueing.messages import DeadLetter, MessageStore
from lexiclass_core.storable import is_storable
from lexiclass_core.tasks.errors import InvalidTask, TaskClientError
from lexiclass_core.tasks.reading import by_message_ids

T = TypeVar("T")

# Whose rows are asked for at once; each may have megabytes.
_PIECE: Final = 50


_ALL: Final = DeadLetterSelection()


class AsyncDeadLetters:
    """Messages that were given up, newest first.

    Every method raises BrokerUnavailable if Redis does not answer, and DatabaseUnavailable if
    PostgreSQL cannot be reached.
    """

    def __init__(
        self,
        transaction: Transaction,
        look: Callable[[Callable[[MessageStore], Any]], Any],
        submit: Callable[..., Awaitable[TaskSnapshot]],
        rules: EntryRules,
    ) -> None:
        self._transaction = transaction
        self._look = look
        self._submit = submit
        self._rules = rules

    def within(self, session: AsyncSession) -> Self:
        """The same, looked at and submitted in the transaction of a session of the caller's.

        What is submitted is sent once that is committed, but what is removed is removed at once.
        """
        submit = partial(self._submit, session=session)
        return type(self)(lambda: nullcontext(session), self._look, submit, self._rules)

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

        With ``dry_run`` nothing is done: it is said what would be.
        """
        found = await self.list(selection)
        if not selection.keys and selection.code is None:
            found = [dead for dead in found if dead.code != ErrorCode.CANCELLED]
        return [await self._replay(dead, dry_run=dry_run) for dead in found]

    async def purge(
        self, selection: DeadLetterSelection, *, dry_run: bool = False
    ) -> Sequence[Handled]:
        """Remove dead letters, or with ``dry_run`` say which; the rows of their tasks stay.

        From the first on that Redis does not remove all are told as still there.
        """
        found = await self.list(selection)
        if dry_run:
            return [Handled(dead=dead, done="would be removed") for dead in found]
        handled: list[Handled] = []
        for number, dead in enumerate(found):
            try:
                is_removed = await self._remove(dead)
            except BrokerUnavailable as error:
                said = f"not removed: {error}"
                left = found[number:]
                return handled + [Handled(dead=each, done=said, has_failed=True) for each in left]
            done = "removed" if is_removed else "gone already"
            handled.append(Handled(dead=dead, done=done, is_removed=is_removed))
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
            is_removed = await self._remove(dead)
        except BrokerUnavailable as error:
            done = f"{done}; still a dead letter, for {error}"
            return Handled(dead=dead, done=done, new_task_id=new.id, has_failed=True)
        return Handled(dead=dead, done=done, new_task_id=new.id, is_removed=is_removed)

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
