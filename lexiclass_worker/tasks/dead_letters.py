"""Messages that were given up, with what their tasks say of it."""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from lexiclass_core.db import SessionFactory
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import REQUESTS, Request
from lexiclass_worker.errors import InvalidRequest, translate
from lexiclass_worker.repositories import tasks
from lexiclass_worker.repositories.messages import DeadLetter, MessageStore


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
    """A dead letter and its task's row, if it has one."""

    letter: DeadLetter
    task: Task | None

    @property
    def message(self) -> dict[str, Any]:
        """The entry as a message; empty if it is none."""
        if self.letter.message_id is None:
            return {}
        fields: dict[str, Any] = json.loads(self.letter.entry)
        return fields

    @property
    def type(self) -> str | None:
        """The actor that it names."""
        return self.task.type if self.task is not None else self.message.get("actor_name")

    @property
    def code(self) -> str | None:
        """What its task failed with."""
        return self.task.error.get("code") if self.task is not None and self.task.error else None

    def request(self) -> Request:
        """What is to be submitted to run it once more.

        Raises:
            InvalidRequest: If that cannot be, or makes no sense: the message says why.
        """
        if self.task is not None and self.task.status == TaskStatus.SUCCEEDED:
            raise InvalidRequest("its task has succeeded")
        if self.task is not None and self.task.parent_id is not None:
            raise InvalidRequest(f"it is a chunk of task {self.task.parent_id}: replay that one")
        schema = {str(name): schema for name, schema in REQUESTS.items()}.get(str(self.type))
        if schema is None:
            raise InvalidRequest(f"no actor has the name {self.type!r}")
        values = self.task.request if self.task is not None else self.message.get("kwargs")
        try:
            return schema.model_validate(values)
        except ValidationError as error:
            raise InvalidRequest(translate(error).message) from None


async def find(
    sessions: SessionFactory, messages: MessageStore, selection: Selection
) -> list[DeadTask]:
    """The dead letters that are meant, newest first.

    Raises:
        RedisError: If Redis does not answer.
    """
    queues = list(QueueName) if selection.queue is None else [selection.queue]

    def read() -> list[DeadLetter]:
        return [letter for queue in queues for letter in messages.dead_letters(queue)]

    letters = await asyncio.to_thread(read)
    ids = {letter.message_id for letter in letters if letter.message_id is not None}
    async with sessions() as session:
        rows = await tasks.by_message_ids(session, ids)
    found = [DeadTask(letter=letter, task=rows.get(letter.message_id)) for letter in letters]
    return sorted(
        (dead for dead in found if _is_meant(dead, selection)),
        key=lambda dead: dead.letter.died_at,
        reverse=True,
    )


def _is_meant(dead: DeadTask, selection: Selection) -> bool:
    age = datetime.now(UTC) - dead.letter.died_at
    return (
        (not selection.keys or dead.letter.key in selection.keys)
        and selection.type in {None, dead.type}
        and selection.code in {None, dead.code}
        and (selection.older_than is None or age >= selection.older_than)
    )
