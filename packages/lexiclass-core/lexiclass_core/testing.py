"""Task clients that keep their tasks in memory, for the tests of what uses one.

::

    client = FakeTaskClient()
    app = create_app(client)          # what is tested submits tasks
    task = client.list().tasks[0]
    client.succeed(task.id, TrainResult(...))

They answer as :class:`~lexiclass_core.client.AsyncTaskClient` and
:class:`~lexiclass_core.client.TaskClient` do, but need no server, and no worker runs their tasks:
the test says what becomes of them. ``models`` and ``documents`` are not there.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from itertools import count
from typing import Final, Unpack

from sqlalchemy.orm import Session

from lexiclass_core.client import watching
from lexiclass_core.client.after_commit import send_after_commit
from lexiclass_core.client.base import BaseTaskClient
from lexiclass_core.client.blocking import blocking
from lexiclass_core.client.queues import AsyncQueues, Queues
from lexiclass_core.client.sessions import CallersAsyncSession, async_session_of
from lexiclass_core.client.snapshot import TaskPage, TaskSnapshot
from lexiclass_core.client.synchronous import TaskClient
from lexiclass_core.codes import ErrorCode
from lexiclass_core.envelope import Envelope
from lexiclass_core.events import TaskEvent
from lexiclass_core.models import Task
from lexiclass_core.numbers import number_of
from lexiclass_core.queue_config import QueueName
from lexiclass_core.references import NameNotFound
from lexiclass_core.schemas import Request, Result, TaskError
from lexiclass_core.statuses import Hindrance, TaskEventKind, TaskStatus
from lexiclass_core.tasks.admission import Pause
from lexiclass_core.tasks.draining import not_drained, with_parts
from lexiclass_core.tasks.errors import IdempotencyConflict, TaskFinished, TaskNotFound
from lexiclass_core.tasks.history import TaskHistoryEntry
from lexiclass_core.tasks.reading import PAGE_SIZE, Filters
from lexiclass_core.tasks.submission import Submission, SubmitOptions
from lexiclass_core.workers import WorkerSnapshot

WORKER: Final = "fake:0:0"
"""Who runs the tasks that a test begins."""


class AsyncFakeQueues(AsyncQueues):
    """Queues that keep in memory which of them are paused."""

    def __init__(self, tasks: Iterable[Task], changes: set["_Changes"]) -> None:
        self._tasks = tasks
        self._changes = changes
        self._pauses: dict[str, Pause] = {}

    async def pauses(self) -> Mapping[str, Pause]:
        return dict(self._pauses)

    async def running(self) -> Mapping[QueueName, int]:
        running = Counter(task.queue for task in self._tasks if task.status == TaskStatus.STARTED)
        return {queue: running[queue] for queue in QueueName}

    async def pause(self, *queues: QueueName, reason: str | None = None) -> None:
        """See :meth:`AsyncQueues.pause`; :meth:`AsyncFakeTaskClient.begin` does not ask."""
        for queue in with_parts(queues):
            self._pauses.setdefault(queue, Pause(datetime.now(UTC), reason))

    async def resume(self, *queues: QueueName) -> None:
        for queue in with_parts(queues):
            self._pauses.pop(queue, None)

    async def drain(
        self, *queues: QueueName, reason: str | None = None, timeout_s: float | None = None
    ) -> None:
        await self.pause(*queues, reason=reason)
        changes = _Changes()
        self._changes.add(changes)
        left: int | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while left := sum([(await self.running())[queue] for queue in with_parts(queues)]):
                    await changes.next(1.0)
        except TimeoutError:
            raise not_drained(queues, timeout_s, left) from None
        finally:
            self._changes.discard(changes)


class AsyncFakeTaskClient(BaseTaskClient):
    """An :class:`~lexiclass_core.client.AsyncTaskClient` without servers.

    Args:
        projects: Ids of projects by name.
        fields: Ids of fields by project and name.
    """

    def __init__(
        self,
        *,
        projects: Mapping[str, int] | None = None,
        fields: Mapping[tuple[int, str], int] | None = None,
    ) -> None:
        self._projects = dict(projects or {})
        self._fields = dict(fields or {})
        self._tasks: dict[int, Task] = {}
        self._uncommitted: dict[str, Task] = {}
        self._history: dict[int, list[TaskHistoryEntry]] = {}
        self._ids = count(1)
        self._changes: set[_Changes] = set()
        self.queues = AsyncFakeQueues(self._tasks.values(), self._changes)

    async def begin(self, task: int | str) -> TaskSnapshot:
        """Begin an attempt at a task, as a worker does."""
        found = self._open(task)
        found.attempts += 1
        found.lease_token += 1
        found.lease_owner = WORKER
        found.started_at = found.started_at or datetime.now(UTC)
        return self._become(found, TaskStatus.STARTED, TaskEventKind.STARTED)

    async def report(self, task: int | str, progress: int, stage: str) -> TaskSnapshot:
        """Say how far a task is, in percent."""
        found = self._open(task)
        found.progress, found.stage = progress, stage
        return self._changed(found)

    async def succeed(self, task: int | str, result: Result) -> TaskSnapshot:
        """End a task with its result."""
        found = self._open(task)
        found.result, found.error, found.progress = result.model_dump(mode="json"), None, 100
        return self._become(found, TaskStatus.SUCCEEDED, TaskEventKind.SUCCEEDED)

    async def fail(self, task: int | str, error: TaskError) -> TaskSnapshot:
        """End a task with an error; one of the code ``CANCELLED`` is cancelled."""
        found = self._open(task)
        found.error = error.model_dump()
        if error.code == ErrorCode.CANCELLED:
            return self._become(found, TaskStatus.CANCELLED, TaskEventKind.CANCELLED)
        return self._become(found, TaskStatus.FAILED, TaskEventKind.FAILED)

    async def submit(
        self,
        request: Request,
        *,
        session: CallersAsyncSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        submission = Submission.of(request, **options)
        if session is not None:
            callers = async_session_of(session)
            return self.add_in(callers.sync_session, submission, self._commit)
        task, is_new = self._add(submission)
        if is_new:
            self._tasks[task.id] = task
        return TaskSnapshot.of(task)

    def add_in(
        self, session: Session, submission: Submission, send: Callable[[Sequence[Envelope]], None]
    ) -> TaskSnapshot:
        task, is_new = self._add(submission)
        if is_new:
            self._uncommitted[task.message_id] = task
            send_after_commit(session, submission.envelope, send)
        return TaskSnapshot.of(task)

    async def send_soon(self, envelopes: Sequence[Envelope]) -> None:
        self._commit(envelopes)

    async def sent(self) -> None:
        """Nothing is ever on its way."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def status(self, task: int | str) -> TaskSnapshot:
        return TaskSnapshot.of(self._find(task))

    async def look(self, task: int | str) -> TaskEvent:
        found = self._find(task)
        if found.status != TaskStatus.PENDING:
            return TaskEvent.of(found)
        before = [
            other
            for other in self._tasks.values()
            if (other.status, other.queue) == (found.status, found.queue) and other.id < found.id
        ]
        is_paused = found.queue in await self.queues.pauses()
        return TaskEvent.of(
            found,
            queue_position=len(before),
            hindrance=Hindrance.PAUSED if is_paused else None,
        )

    async def history(self, task: int | str) -> Sequence[TaskHistoryEntry]:
        return list(self._history.get(self._find(task).id, ()))

    async def cancel(self, task: int | str) -> TaskSnapshot:
        """See :meth:`BaseTaskClient.cancel`. One that was begun ends when the test fails it."""
        found = self._find(task)
        if TaskStatus(found.status).is_final:
            raise TaskFinished(task, found.status)
        found.cancel_requested_at = found.cancel_requested_at or datetime.now(UTC)
        if found.status == TaskStatus.STARTED:
            self._note(found, TaskEventKind.CANCEL_REQUESTED)
            return self._changed(found)
        message = "cancelled on request before it ran"
        return await self.fail(found.id, TaskError(code=ErrorCode.CANCELLED, message=message))

    async def list(self, **filters: Unpack[Filters]) -> TaskPage:
        limit = filters.get("limit", PAGE_SIZE)
        if limit < 1:
            raise ValueError(f"the limit is {limit}: expected 1 or more")
        wanted = {
            "project_id": filters.get("project_id"),
            "status": filters.get("status"),
            "type": filters.get("type"),
            "parent_id": filters.get("parent"),
            "queue": filters.get("queue"),
        }
        before, code = filters.get("before"), filters.get("error_code")
        rows = [
            task
            for task in sorted(self._tasks.values(), key=lambda task: -task.id)
            if all(value in (None, getattr(task, name)) for name, value in wanted.items())
            and (before is None or task.id < before)
            and (code is None or _has_failed_with(task, code))
            and filters.get("text") in (None, str(task.id), task.message_id, task.correlation_id)
        ]
        return TaskPage.of(rows[:limit], limit=limit)

    async def watch(
        self, task: int | str, *, timeout_s: float | None = None, poll_interval_s: float = 1.0
    ) -> AsyncGenerator[TaskEvent]:
        task_id = self._find(task).id
        changes = _Changes()
        self._changes.add(changes)
        events = watching.watch(
            lambda: self.look(task_id),
            changes,
            poll_interval_s=poll_interval_s,
            patience=watching.Patience(task, timeout_s),
        )
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        finally:
            self._changes.discard(changes)

    async def find_project(self, name: int | str) -> int:
        return _named(self._projects, name, "project")

    async def find_field(self, project_id: int, name: int | str) -> int:
        fields = {
            each: id_ for (project, each), id_ in self._fields.items() if project == project_id
        }
        return _named(fields, name, f"field of project {project_id}")

    async def workers(self) -> Sequence[WorkerSnapshot]:
        """See :meth:`BaseTaskClient.workers`: none."""
        return []

    async def latest(self, task_ids: Sequence[int]) -> Mapping[int, TaskEvent]:
        tasks = [self._tasks[each] for each in task_ids if each in self._tasks]
        return {task.id: TaskEvent.of(task) for task in tasks if task.status == TaskStatus.STARTED}

    async def broker_answers(self) -> bool:
        """See :meth:`BaseTaskClient.broker_answers`: none is needed."""
        return True

    def _add(self, submission: Submission) -> tuple[Task, bool]:
        values = submission.as_row()
        key = submission.project_id, submission.idempotency_key
        for task in self._tasks.values():
            if task.idempotency_key is None or (task.project_id, task.idempotency_key) != key:
                continue
            if (task.type, task.request) != (values["type"], values["request"]):
                raise IdempotencyConflict(task.idempotency_key, task.id)
            return task, False
        blank = {"status": TaskStatus.PENDING, "progress": 0, "attempts": 0, "crashes": 0}
        queued_at = datetime.now(UTC)
        return Task(id=next(self._ids), lease_token=0, queued_at=queued_at, **blank, **values), True

    def _commit(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            task = self._uncommitted.pop(envelope.message_id)
            self._tasks[task.id] = task

    def _find(self, task: int | str) -> Task:
        for row in self._tasks.values():
            if task in (row.id, row.message_id):
                return row
        raise TaskNotFound(task)

    def _open(self, task: int | str) -> Task:
        found = self._find(task)
        if TaskStatus(found.status).is_final:
            raise TaskFinished(task, found.status)
        return found

    def _become(self, task: Task, status: TaskStatus, event: TaskEventKind) -> TaskSnapshot:
        self._note(task, event)
        task.status = status
        if status.is_final:
            task.lease_owner = task.stage = None
            task.finished_at = datetime.now(UTC)
        return self._changed(task)

    def _note(self, task: Task, event: TaskEventKind) -> None:
        ends = event in {TaskEventKind.FAILED, TaskEventKind.CANCELLED}
        entry = TaskHistoryEntry(
            at=datetime.now(UTC),
            event=event,
            attempt=task.attempts,
            worker=None if event is TaskEventKind.CANCEL_REQUESTED else task.lease_owner,
            error=TaskError.of_row(task.error) if ends else None,
            delay_s=None,
            times=1,
        )
        self._history.setdefault(task.id, []).append(entry)

    def _changed(self, task: Task) -> TaskSnapshot:
        for changes in self._changes:
            changes.tell()
        return TaskSnapshot.of(task)


def _has_failed_with(task: Task, code: str) -> bool:
    return task.status == TaskStatus.FAILED and (task.error or {}).get("code") == code


def _named(ids: Mapping[str, int], name: int | str, what: str) -> int:
    number = number_of(name)
    found = number if number in ids.values() else ids.get(str(name), number)
    if found is None:
        raise NameNotFound(f"no {what} is called {name!r}")
    return found


class _Changes:
    """Tells a watcher that a row has changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()

    async def next(self, timeout_s: float) -> TaskEvent | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
            self._event.clear()
        return None


class FakeTaskClient(TaskClient):
    """A :class:`~lexiclass_core.client.TaskClient` without servers."""

    def __init__(
        self,
        *,
        projects: Mapping[str, int] | None = None,
        fields: Mapping[tuple[int, str], int] | None = None,
    ) -> None:
        fake = AsyncFakeTaskClient(projects=projects, fields=fields)
        self.queues = Queues(fake.queues, self._run)
        self._serve(fake)

    _asynchronous: AsyncFakeTaskClient

    begin = blocking(AsyncFakeTaskClient.begin)
    report = blocking(AsyncFakeTaskClient.report)
    succeed = blocking(AsyncFakeTaskClient.succeed)
    fail = blocking(AsyncFakeTaskClient.fail)
