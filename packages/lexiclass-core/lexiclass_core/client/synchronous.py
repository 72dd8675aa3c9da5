"""The task client for code without an event loop."""

import logging
import queue
from collections.abc import Coroutine, Iterator, Sequence
from concurrent import futures
from contextlib import aclosing, suppress
from typing import Any, Final, Self, TypeVar, Unpack, cast

from sqlalchemy.ext.asyncio import AsyncEngine

from lexiclass_core.client.asynchronous import AsyncTaskClient
from lexiclass_core.client.base import BaseTaskClient
from lexiclass_core.client.blocking import blocking
from lexiclass_core.client.dead_letters import DeadLetters
from lexiclass_core.client.documents import Documents
from lexiclass_core.client.errors import ClientClosed
from lexiclass_core.client.handles import RequestFor, ResultT, TaskHandle
from lexiclass_core.client.loops import LONGEST_DEAF_S, OwnLoop
from lexiclass_core.client.model_versions import Models
from lexiclass_core.client.queues import Queues
from lexiclass_core.client.requests import SubmitsRequests
from lexiclass_core.client.retrying import once_more
from lexiclass_core.client.sessions import CallersSession, session_of
from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.db import with_own_pool
from lexiclass_core.envelope import Envelope
from lexiclass_core.events import TaskEvent
from lexiclass_core.queueing.entries import MOST_BYTES
from lexiclass_core.schemas import Request
from lexiclass_core.tasks.submission import Submission, SubmitOptions, submitting

T = TypeVar("T")

_STOP_TIMEOUT_S: Final = 5.0

_log: Final = logging.getLogger(__name__)


class TaskClient(SubmitsRequests[CallersSession, TaskSnapshot]):
    """:class:`AsyncTaskClient` on an event loop of its own; may be shared by threads.

    A process that was forked may go on with its parent's client: it gets a loop and connections of
    its own.

    It is made with what :class:`AsyncTaskClient` is made with, has the same attributes and raises
    the same errors. An engine is one that ``create_async_engine`` makes, on asyncpg: the client
    connects as it does, in a pool of its own, and leaves it open.

    Raises:
        TypeError: If the engine is not one of asyncio.
    """

    _engine: AsyncEngine | None = None

    def __init__(
        self,
        *,
        database_uri: str | None = None,
        engine: AsyncEngine | None = None,
        broker_url: str,
        namespace: str = "dramatiq",
        pool_size: int = 5,
        command_timeout_s: float = 60.0,
        storage: str | None = None,
        signing_keys: str | None = None,
        message_bytes: int = MOST_BYTES,
    ) -> None:
        # The loop is the client's own, and so are its connections.
        self._engine = None if engine is None else with_own_pool(engine)
        client = AsyncTaskClient(
            database_uri=database_uri,
            engine=self._engine,
            broker_url=broker_url,
            namespace=namespace,
            pool_size=pool_size,
            command_timeout_s=command_timeout_s,
            storage=storage,
            signing_keys=signing_keys,
            message_bytes=message_bytes,
        )
        self.models = Models(client.models, self._run)
        self.documents = Documents(client.documents, self._run)
        self.queues = Queues(client.queues, self._run)
        self.dead_letters = DeadLetters(client.dead_letters, self._run)
        self._serve(client)

    def _serve(self, client: BaseTaskClient) -> None:
        self._asynchronous = client
        self._loop = OwnLoop("lexiclass-task-client")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and end the loop's thread; a second time it does nothing.

        Whoever waits in another thread gets a :class:`concurrent.futures.CancelledError`, whoever
        calls from now on :class:`ClientClosed`.
        """
        self._loop.close(self._close())

    def submit(
        self,
        request: Request,
        *,
        session: CallersSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        """See :meth:`AsyncTaskClient.submit`; the session is a synchronous one, of any driver."""
        if session is None:
            return self._run(self._asynchronous.submit(request, **options))
        with submitting(request):
            submission = Submission.of(request, **options)
            return self._asynchronous.add_in(session_of(session), submission, self._send_soon)

    def start(
        self,
        request: RequestFor[ResultT],
        *,
        session: CallersSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskHandle[ResultT]:
        """See :meth:`AsyncTaskClient.start`."""
        task = self.submit(cast("Request", request), session=session, **options)
        return TaskHandle(self, task, request.result_type())

    def handle(
        self, task: int | str, request_type: type[RequestFor[ResultT]]
    ) -> TaskHandle[ResultT]:
        """See :meth:`AsyncTaskClient.handle`."""
        found = self._run(self._asynchronous.handle(task, request_type))
        return TaskHandle(self, found.snapshot, request_type.result_type())

    def retry(
        self,
        task: int | str,
        *,
        session: CallersSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        """See :meth:`AsyncTaskClient.retry`; the session is a synchronous one, of any driver."""
        request, as_before = once_more(self.status(task))
        return self.submit(request, session=session, **(as_before | options))

    find_project = blocking(BaseTaskClient.find_project)
    find_field = blocking(BaseTaskClient.find_field)
    status = blocking(BaseTaskClient.status)
    history = blocking(BaseTaskClient.history)
    look = blocking(BaseTaskClient.look)
    workers = blocking(BaseTaskClient.workers)
    latest = blocking(BaseTaskClient.latest)
    broker_answers = blocking(BaseTaskClient.broker_answers)
    result = blocking(BaseTaskClient.result)
    cancel = blocking(BaseTaskClient.cancel)
    list = blocking(BaseTaskClient.list)
    wait = blocking(BaseTaskClient.wait)

    def watch(
        self, task: int | str, *, timeout_s: float | None = None, poll_interval_s: float = 1.0
    ) -> Iterator[TaskEvent]:
        """See :meth:`AsyncTaskClient.watch`; leaving the loop ends it."""
        events: queue.SimpleQueue[TaskEvent | None] = queue.SimpleQueue()

        async def pass_on() -> None:
            watching = self._asynchronous.watch(
                task, timeout_s=timeout_s, poll_interval_s=poll_interval_s
            )
            try:
                async with aclosing(watching):
                    async for event in watching:
                        events.put(event)
            finally:
                events.put(None)

        future = self._loop.begin(pass_on())
        try:
            while (event := _next(events, future)) is not None:
                yield event
            future.result()
        finally:
            if not future.done() and future.cancel():
                # Until it has stopped listening; one that had not begun says nothing.
                with suppress(queue.Empty):
                    while events.get(timeout=_STOP_TIMEOUT_S) is not None:
                        pass

    async def _close(self) -> None:
        try:
            await self._asynchronous.sent()
            await self._loop.end_others()
            await self._asynchronous.close()
        finally:
            if self._engine is not None:
                await self._engine.dispose()

    def _send_soon(self, envelopes: Sequence[Envelope]) -> None:
        try:
            self._loop.begin(self._asynchronous.send_soon(envelopes))
        except ClientClosed as error:
            # The caller has committed, whatever becomes of the message.
            _log.warning("committed tasks wait in their rows to be sent: %s", error)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(coroutine)


def _next(events: queue.SimpleQueue[T | None], future: futures.Future[None]) -> T | None:
    while True:
        is_over = future.done()
        with suppress(queue.Empty):
            return events.get(timeout=0 if is_over else LONGEST_DEAF_S)
        # One that was cancelled before it began says nothing.
        if is_over:
            return None
