"""What every task client can do, wherever it keeps the tasks."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Unpack, cast

from sqlalchemy.orm import Session

from lexiclass_core.client.errors import TaskFailed, TaskNotFinished
from lexiclass_core.client.handles import AsyncTaskHandle, RequestFor, ResultT
from lexiclass_core.client.requests import SubmitsRequests
from lexiclass_core.client.retrying import once_more
from lexiclass_core.client.sessions import CallersAsyncSession
from lexiclass_core.client.snapshot import TaskPage, TaskSnapshot
from lexiclass_core.client.watching import Patience
from lexiclass_core.envelope import Envelope
from lexiclass_core.events import TaskEvent
from lexiclass_core.schemas import Request, TaskError
from lexiclass_core.tasks.errors import InvalidTask
from lexiclass_core.tasks.history import TaskHistoryEntry
from lexiclass_core.tasks.reading import Filters
from lexiclass_core.tasks.submission import Submission, SubmitOptions
from lexiclass_core.workers import WorkerSnapshot


class BaseTaskClient(SubmitsRequests[CallersAsyncSession, Coroutine[Any, Any, TaskSnapshot]]):
    """Submitting requests and following the tasks they become.

    :class:`AsyncTaskClient` keeps them in PostgreSQL, a fake one in memory. A task is named by its
    row id (an int) or its message id (a str); every method that takes one raises TaskNotFound if
    there is none.
    """

    @abstractmethod
    async def submit(
        self,
        request: Request,
        *,
        session: CallersAsyncSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        """See :meth:`SubmitsRequests.submit`."""

    @abstractmethod
    async def status(self, task: int | str) -> TaskSnapshot:
        """The task as it is now."""

    @abstractmethod
    async def look(self, task: int | str) -> TaskEvent:
        """The task as a watcher sees it now: with its place in the queue, and what hinders it."""

    @abstractmethod
    async def history(self, task: int | str) -> Sequence[TaskHistoryEntry]:
        """What happened to the task, oldest first: each attempt, and what became of it.

        It is kept as long as the task. Of a task that began under an older schema of the database,
        what happened before is not known.
        """

    @abstractmethod
    async def cancel(self, task: int | str) -> TaskSnapshot:
        """Cancel a task.

        One that waits is cancelled at once and never runs. One that runs is stopped by its worker
        within about two seconds; until then its status stays ``started``.

        Returns:
            The task: cancelled, or with ``cancel_requested_at``.

        Raises:
            TaskFinished: If it has come to its end.
        """

    @abstractmethod
    async def list(self, **filters: Unpack[Filters]) -> TaskPage:
        """A page of tasks, newest first; see :class:`~lexiclass_core.tasks.reading.Filters`.

        Raises:
            ValueError: If the limit is below 1.
        """

    @abstractmethod
    def watch(
        self, task: int | str, *, timeout_s: float | None = None, poll_interval_s: float = 1.0
    ) -> AsyncGenerator[TaskEvent]:
        """Events of a task: what it is now, whatever changes, and in the end what became of it.

        A running task is heard of about twice a second, through Redis; without it, its row is
        looked at. The last event is always the row's. Whoever leaves the loop before should close
        the iterator: ``async with contextlib.aclosing(client.watch(id)) as events``.

        Args:
            task: Row id or message id.
            timeout_s: Longest time in seconds; None for as long as it takes.
            poll_interval_s: Seconds without news after which the row is looked at.

        Raises:
            TimeoutError: If it is not final in time.
        """

    @abstractmethod
    async def close(self) -> None:
        """Send what is still to be sent, and close every connection but those of the caller."""

    @abstractmethod
    def add_in(
        self, session: Session, submission: Submission, send: Callable[[Sequence[Envelope]], None]
    ) -> TaskSnapshot:
        """Write a task in a transaction of the caller's, after whose commit ``send`` is called."""

    @abstractmethod
    async def sent(self) -> None:
        """Wait until the messages of what callers have committed are sent."""

    @abstractmethod
    async def send_soon(self, envelopes: Sequence[Envelope]) -> None:
        """Begin to send messages of tasks that a caller has committed; :meth:`sent` waits for it.

        Those that a savepoint has taken back are left out; what cannot be sent waits in its row.
        """

    @abstractmethod
    async def find_project(self, name: int | str) -> int:
        """The id of a project that is named by its name, or by its id.

        Raises:
            UnresolvedName: If no project has this name, or several have it.
        """

    @abstractmethod
    async def find_field(self, project_id: int, name: int | str) -> int:
        """The id of a project's field that is named by its name, or by its id.

        Raises:
            UnresolvedName: If the project has no field of this name.
        """

    @abstractmethod
    async def workers(self) -> Sequence[WorkerSnapshot]:
        """The workers that are registered, with what each of them runs."""

    @abstractmethod
    async def latest(self, task_ids: Sequence[int]) -> Mapping[int, TaskEvent]:
        """What the workers of some running tasks told last, by id; rows are behind it.

        Without Redis, or of tasks whose workers have told nothing for half a minute, nothing.
        """

    @abstractmethod
    async def broker_answers(self) -> bool:
        """Whether Redis answers within two seconds."""

    async def start(
        self,
        request: RequestFor[ResultT],
        *,
        session: CallersAsyncSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> AsyncTaskHandle[ResultT]:
        """Submit a request; see :meth:`submit`. Returns a handle that knows the result's type."""
        task = await self.submit(cast("Request", request), session=session, **options)
        return AsyncTaskHandle(self, task, request.result_type())

    async def handle(
        self, task: int | str, request_type: type[RequestFor[ResultT]]
    ) -> AsyncTaskHandle[ResultT]:
        """A handle of a task that was submitted before.

        Args:
            task: Row id or message id.
            request_type: What was submitted, such as
                :class:`~lexiclass_core.schemas.TrainFieldModel`.

        Raises:
            InvalidTask: If another kind of request was submitted.
        """
        found = await self.status(task)
        expected = cast("type[Request]", request_type).actor_name
        if found.type != expected:
            raise InvalidTask(f"task {found.id} is of {found.type}, not of {expected}")
        return AsyncTaskHandle(self, found, request_type.result_type())

    async def retry(
        self,
        task: int | str,
        *,
        session: CallersAsyncSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        """Submit the request of a task that failed or was cancelled once more, as a new task.

        Args:
            task: Row id or message id.
            session: A session of the caller's; see :meth:`submit`.
            **options: Where they are to differ from those of the task; without an idempotency key
                each call makes a task.

        Raises:
            InvalidTask: If it has not failed, or cannot be submitted on its own.
        """
        request, as_before = once_more(await self._status_in(session, task))
        return await self.submit(request, session=session, **(as_before | options))

    async def _status_in(
        self, session: CallersAsyncSession | None, task: int | str
    ) -> TaskSnapshot:
        """The task as it is now, seen in the transaction of a caller who has one."""
        del session
        return await self.status(task)

    async def result(self, task: int | str) -> dict[str, Any]:
        """The result of a task that has succeeded.

        Raises:
            TaskNotFinished: If it has no result yet.
            TaskFailed: If it failed or was cancelled.
        """
        snapshot = await self.status(task)
        if not snapshot.status.is_final:
            raise TaskNotFinished(task, snapshot.status)
        if snapshot.result is None:
            raise TaskFailed(
                task,
                snapshot.error or TaskError(code=snapshot.status.upper(), message="no result"),
            )
        return snapshot.result

    async def wait(
        self, task: int | str, *, timeout_s: float | None = None, poll_interval_s: float = 0.1
    ) -> TaskSnapshot:
        """Wait until the task is final.

        Args:
            task: Row id or message id.
            timeout_s: Longest wait in seconds; None for as long as it takes.
            poll_interval_s: Seconds between two looks at the row.

        Raises:
            TimeoutError: If it is not final in time.
        """
        patience = Patience(task, timeout_s)
        async with patience.bounds():
            while True:
                snapshot = await self.status(task)
                if snapshot.status.is_final:
                    return snapshot
                patience.last = snapshot.status
                await asyncio.sleep(poll_interval_s)
