"""The task client for asyncio."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import Final, Self, Unpack

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from lexiclass_core import references
from lexiclass_core.client import watching
from lexiclass_core.client.after_commit import send_after_commit
from lexiclass_core.client.base import BaseTaskClient
from lexiclass_core.client.connections import Connections
from lexiclass_core.client.dead_letters import AsyncDeadLetters
from lexiclass_core.client.documents import AsyncDocuments
from lexiclass_core.client.errors import BrokerUnavailable, DatabaseUnavailable
from lexiclass_core.client.live import LiveFeed
from lexiclass_core.client.model_versions import AsyncModels
from lexiclass_core.client.queues import AsyncQueues
from lexiclass_core.client.sending import ClientSender
from lexiclass_core.client.sessions import CallersAsyncSession, async_session_of
from lexiclass_core.client.snapshot import TaskPage, TaskSnapshot
from lexiclass_core.client.watching import LOOK_S, Patience
from lexiclass_core.db import create_engine
from lexiclass_core.db.errors import DATABASE_ERRORS, describe, is_transient
from lexiclass_core.envelope import Envelope
from lexiclass_core.events import TaskEvent
from lexiclass_core.queueing.entries import MOST_BYTES, EntryRules
from lexiclass_core.schemas import Request
from lexiclass_core.signing import Signer
from lexiclass_core.tasks import reading
from lexiclass_core.tasks.cancelling import cancel
from lexiclass_core.tasks.history import TaskHistoryEntry, history
from lexiclass_core.tasks.reading import Filters
from lexiclass_core.tasks.submission import Submission, SubmitOptions, add, submitting
from lexiclass_core.workers import WorkerSnapshot, list_workers

_log: Final = logging.getLogger(__name__)


class AsyncTaskClient(BaseTaskClient):
    """Submits requests and follows the tasks they become.

    A task is named by its row id (an int) or its message id (a str); every method that takes one
    raises TaskNotFound if there is none. Every method raises
    DatabaseUnavailable if PostgreSQL cannot be reached, or gives up on the transaction. A process
    that was forked may go on with its parent's client: it opens connections of its own.

    Args:
        database_uri: ``postgresql://user:password@host:5432/database``.
        engine: Instead of that, an engine of the caller's, which is left open. Its driver is
            asyncpg.
        broker_url: ``redis://:password@host:6379/0``, or another that docs/CONNECTIONS.md names.
        namespace: Prefix of the broker's keys, the workers' DRAMATIQ__NAMESPACE.
        pool_size: Database connections kept open to a ``database_uri``; an engine says its own.
        command_timeout_s: Longest one statement may take there, in seconds; an engine says its own.
        storage: The workers' STORAGE__BASE_PATH, a directory or a URL such as ``s3://bucket/x``;
            needed to add documents only.
        signing_keys: The workers' DRAMATIQ__SIGNING_KEYS, if they run signed messages only; the
            first key signs.
        message_bytes: The workers' DRAMATIQ__MESSAGE_BYTES; what is larger is a dead letter.

    Attributes:
        models: The versions of fields' models, and which one serves.
        documents: The documents, fields and labels of projects.
        queues: Whether the tasks of queues may start.
        dead_letters: Messages that were given up.

    Raises:
        InvalidAddress: If a URL cannot be used; a ValueError that repeats nothing of it.
        ValueError: If a signing key is too short, or it is not one of URI and engine that is given.
    """

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
        self._own_engine: AsyncEngine | None = None
        if engine is None and database_uri is not None:
            self._own_engine = engine = create_engine(
                database_uri,
                pool_size=pool_size,
                application_name="lexiclass-client",
                command_timeout_s=command_timeout_s,
            )
        elif engine is None or database_uri is not None:
            raise ValueError("give a database_uri or an engine, and not both")
        signer = Signer.of(signing_keys)
        self._connections = Connections(
            engine,
            partial(ClientSender, broker_url, namespace, signer),
            partial(LiveFeed, broker_url, namespace),
        )
        self._sending: set[asyncio.Task[None]] = set()
        self.models = AsyncModels(self._transaction, storage)
        self.documents = AsyncDocuments(self._transaction, storage)
        self.queues = AsyncQueues(self._transaction)
        self.dead_letters = AsyncDeadLetters(
            self._transaction,
            self._connections.look,
            self.submit,
            EntryRules(signer=signer, most_bytes=message_bytes),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        try:
            await self.sent()
            await asyncio.to_thread(self._connections.sender.close)
            await self._connections.live.close()
        finally:
            if self._own_engine is not None:
                await self._own_engine.dispose()

    async def submit(
        self,
        request: Request,
        *,
        session: CallersAsyncSession | None = None,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        with submitting(request):
            submission = Submission.of(request, **options)
            if session is not None:
                callers = async_session_of(session)
                return await callers.run_sync(self.add_in, submission, self._begin_to_send)
            async with self._transaction() as own:
                task, is_new = await own.run_sync(add, submission)
            if is_new:
                await self._send({task.id: submission.envelope})
            return TaskSnapshot.of(task)

    def add_in(
        self, session: Session, submission: Submission, send: Callable[[Sequence[Envelope]], None]
    ) -> TaskSnapshot:
        task, is_new = add(session, submission)
        snapshot = TaskSnapshot.of(task)
        if is_new:
            send_after_commit(session, submission.envelope, send)
        return snapshot

    async def sent(self) -> None:
        loop = asyncio.get_running_loop()
        # What a parent was sending when this process was forked, it sends itself.
        while own := [each for each in self._sending if each.get_loop() is loop]:
            await asyncio.wait(own)

    async def send_soon(self, envelopes: Sequence[Envelope]) -> None:
        self._begin_to_send(envelopes)

    def _begin_to_send(self, envelopes: Sequence[Envelope]) -> None:
        sending = asyncio.get_running_loop().create_task(self._send_committed(envelopes))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send_committed(self, envelopes: Sequence[Envelope]) -> None:
        try:
            async with self._transaction() as session:
                rows = await reading.by_message_ids(
                    session, [each.message_id for each in envelopes]
                )
        except DatabaseUnavailable as error:
            _log.warning("committed tasks wait in their rows to be sent: %s", error)
            return
        there = {rows[each.message_id].id: each for each in envelopes if each.message_id in rows}
        await self._send(there)

    async def _send(self, envelopes: Mapping[int, Envelope]) -> None:
        for task_id, envelope in envelopes.items():
            try:
                await self._connections.sender.deliver(envelope)
            except BrokerUnavailable as error:
                _log.warning("task %d waits in its row to be sent: %s", task_id, error)

    async def find_project(self, name: int | str) -> int:
        async with self._transaction() as session:
            return await references.find_project(session, name)

    async def find_field(self, project_id: int, name: int | str) -> int:
        async with self._transaction() as session:
            return await references.find_field(session, project_id, name)

    async def status(self, task: int | str) -> TaskSnapshot:
        async with self._transaction() as session:
            return TaskSnapshot.of(await reading.find(session, task))

    async def _status_in(
        self, session: CallersAsyncSession | None, task: int | str
    ) -> TaskSnapshot:
        if session is None:
            return await self.status(task)
        # Another connection, beside the one that the caller holds, may not be had.
        callers = async_session_of(session)
        found = await reading.find(callers, task)
        await callers.refresh(found)
        return TaskSnapshot.of(found)

    async def look(self, task: int | str) -> TaskEvent:
        async with self._transaction() as session:
            return await reading.look(session, (await reading.find(session, task)).id)

    async def latest(self, task_ids: Sequence[int]) -> Mapping[int, TaskEvent]:
        return await self._connections.live.latest(task_ids)

    async def broker_answers(self) -> bool:
        return await self._connections.live.answers()

    async def history(self, task: int | str) -> Sequence[TaskHistoryEntry]:
        async with self._transaction() as session:
            return await history(session, await reading.find(session, task))

    async def workers(self) -> Sequence[WorkerSnapshot]:
        async with self._transaction() as session:
            return await list_workers(session)

    async def cancel(self, task: int | str) -> TaskSnapshot:
        async with self._transaction() as session:
            cancelled = TaskSnapshot.of(await cancel(session, task))
        await self._connections.live.tell_change(cancelled.id)
        return cancelled

    async def list(self, **filters: Unpack[Filters]) -> TaskPage:
        limit = filters.setdefault("limit", reading.PAGE_SIZE)
        async with self._transaction() as session:
            return TaskPage.of(await reading.page(session, **filters), limit=limit)

    async def watch(
        self, task: int | str, *, timeout_s: float | None = None, poll_interval_s: float = 1.0
    ) -> AsyncGenerator[TaskEvent]:
        patience = Patience(task, timeout_s)
        async with patience.bounds(LOOK_S):
            task_id = (await self.status(task)).id

        async def look() -> TaskEvent:
            async with self._transaction() as session:
                return await reading.look(session, task_id)

        async with AsyncExitStack() as stack:
            async with patience.bounds(LOOK_S):
                news = await stack.enter_async_context(self._connections.live.of(task_id))
            events = watching.watch(look, news, poll_interval_s=poll_interval_s, patience=patience)
            await stack.enter_async_context(aclosing(events))
            async for event in events:
                yield event

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        try:
            async with self._connections.sessions.begin() as session:
                yield session
        except DATABASE_ERRORS as error:
            if not is_transient(error):
                raise
            raise DatabaseUnavailable(
                "PostgreSQL could not be reached, or gave up on a transaction: "
                f"{describe(error)}; try again"
            ) from error
