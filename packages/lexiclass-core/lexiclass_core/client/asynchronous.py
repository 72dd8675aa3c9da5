"""The task client for asyncio."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self, Unpack

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import references
from lexiclass_core.client import watching
from lexiclass_core.client.arguments import IndexArguments, ModelArguments, TrainArguments
from lexiclass_core.client.documents import AsyncDocuments
from lexiclass_core.client.errors import (
    BrokerUnavailable,
    DatabaseUnavailable,
    TaskFailed,
    TaskNotFinished,
)
from lexiclass_core.client.live import LiveFeed
from lexiclass_core.client.messages import Sender
from lexiclass_core.client.model_versions import AsyncModels
from lexiclass_core.client.snapshot import TaskPage, TaskSnapshot
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.db.errors import DATABASE_ERRORS, describe, is_transient
from lexiclass_core.events import TaskEvent
from lexiclass_core.schemas import (
    DeleteProject,
    EraseDocuments,
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TaskError,
    TrainFieldModel,
)
from lexiclass_core.signing import Signer
from lexiclass_core.tasks import reading
from lexiclass_core.tasks.cancelling import cancel
from lexiclass_core.tasks.history import TaskHistoryEntry, history
from lexiclass_core.tasks.reading import Filters
from lexiclass_core.tasks.submission import Submission, SubmitOptions, add, split
from lexiclass_core.workers import WorkerSnapshot, list_workers

_log: Final = logging.getLogger(__name__)


class AsyncTaskClient:
    """Submits requests and follows the tasks they become.

    A task is named by its row id (an int) or its message id (a str). Every method raises
    DatabaseUnavailable if PostgreSQL cannot be reached, or gives up on the transaction.

    Args:
        database_uri: ``postgresql://user:password@host:5432/database``.
        broker_url: ``redis://:password@host:6379/0``, or another that docs/CONNECTIONS.md names.
        namespace: Prefix of the broker's keys, the workers' DRAMATIQ__NAMESPACE.
        pool_size: Database connections kept open.
        command_timeout_s: Longest one statement may take, in seconds.
        storage: The workers' STORAGE__BASE_PATH, a directory or a URL such as ``s3://bucket/x``;
            needed to add documents only.
        signing_keys: The workers' DRAMATIQ__SIGNING_KEYS, if they run signed messages only; the
            first key signs.

    Attributes:
        models: The versions of fields' models, and which one serves.
        documents: The documents, fields and labels of projects.

    Raises:
        InvalidAddress: If a URL cannot be used; a ValueError that repeats nothing of it.
        ValueError: If a signing key is too short.
    """

    def __init__(
        self,
        *,
        database_uri: str,
        broker_url: str,
        namespace: str = "dramatiq",
        pool_size: int = 5,
        command_timeout_s: float = 60.0,
        storage: str | None = None,
        signing_keys: str | None = None,
    ) -> None:
        self._engine = create_engine(
            database_uri,
            pool_size=pool_size,
            application_name="lexiclass-client",
            command_timeout_s=command_timeout_s,
        )
        self._sessions = create_session_factory(self._engine)
        self._sender = Sender(broker_url, namespace, Signer.of(signing_keys))
        self.models = AsyncModels(self._transaction)
        self.documents = AsyncDocuments(self._transaction, storage)
        self._live = LiveFeed(broker_url, namespace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.to_thread(self._sender.close)
        await self._live.close()
        await self._engine.dispose()

    async def submit(self, request: Request, **options: Unpack[SubmitOptions]) -> TaskSnapshot:
        """Write the task's row, then send its message.

        If Redis cannot be reached the task waits in its row, and the workers' reconciler sends it
        once Redis is back. If PostgreSQL goes away in the midst of it, nobody knows whether there
        is a task: with an idempotency key, submitting again is safe.

        Args:
            request: What to do, such as :class:`~lexiclass_core.schemas.TrainFieldModel`.
            **options: See :class:`~lexiclass_core.tasks.submission.SubmitOptions`.

        Returns:
            The pending task, or the one that has the idempotency key already.

        Raises:
            InvalidTask: If the request holds what cannot be stored, or an option is wrong.
            IdempotencyConflict: If the key belongs to a task with another request.
        """
        submission = Submission.of(request, **options)
        async with self._transaction() as session:
            task, is_new = await add(session, submission)
        if is_new:
            try:
                await asyncio.to_thread(self._sender.send, submission.envelope)
            except BrokerUnavailable as error:
                _log.warning("task %d waits in its row to be sent: %s", task.id, error)
        return TaskSnapshot.of(task)

    async def index(self, project_id: int, **arguments: Unpack[IndexArguments]) -> TaskSnapshot:
        """Submit the indexing of a project's documents. See :meth:`submit`."""
        request, options = split(IndexDocuments, arguments, project_id=project_id)
        return await self.submit(request, **options)

    async def train(
        self, project_id: int, field_id: int, **arguments: Unpack[TrainArguments]
    ) -> TaskSnapshot:
        """Submit the training of a field's next model version. See :meth:`submit`."""
        request, options = split(
            TrainFieldModel, arguments, project_id=project_id, field_id=field_id
        )
        return await self.submit(request, **options)

    async def predict(
        self,
        project_id: int,
        field_id: int,
        document_ids: Sequence[int] | None,
        **arguments: Unpack[ModelArguments],
    ) -> TaskSnapshot:
        """Submit the prediction of some documents, or of all with None. See :meth:`submit`."""
        request, options = split(
            PredictFieldDocuments,
            arguments,
            project_id=project_id,
            field_id=field_id,
            document_ids=None if document_ids is None else list(document_ids),
        )
        return await self.submit(request, **options)

    async def evaluate(
        self, project_id: int, field_id: int, **arguments: Unpack[ModelArguments]
    ) -> TaskSnapshot:
        """Submit the evaluation of a model on the field's test labels. See :meth:`submit`."""
        request, options = split(
            EvaluateFieldModel, arguments, project_id=project_id, field_id=field_id
        )
        return await self.submit(request, **options)

    async def find_project(self, name: int | str) -> int:
        """The id of a project that is named by its name, or by its id.

        Raises:
            UnresolvedName: If no project has this name, or several have it.
        """
        async with self._transaction() as session:
            return await references.find_project(session, name)

    async def find_field(self, project_id: int, name: int | str) -> int:
        """The id of a project's field that is named by its name, or by its id.

        Raises:
            UnresolvedName: If the project has no field of this name.
        """
        async with self._transaction() as session:
            return await references.find_field(session, project_id, name)

    async def delete_documents(
        self,
        project_id: int,
        document_ids: Sequence[int],
        *,
        remove_models: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> TaskSnapshot:
        """Submit the erasure of documents and of what is known of them. See :meth:`submit`.

        Args:
            project_id: The project.
            document_ids: Which of its documents; :attr:`documents` finds them by the ids of their
                source.
            remove_models: Also retire and remove the model versions that may hold words of them.
            **options: See :class:`~lexiclass_core.tasks.submission.SubmitOptions`.
        """
        request, _ = split(
            EraseDocuments,
            {},
            project_id=project_id,
            document_ids=list(document_ids),
            remove_models=remove_models,
        )
        return await self.submit(request, **options)

    async def delete_project(
        self, project_id: int, **options: Unpack[SubmitOptions]
    ) -> TaskSnapshot:
        """Submit the deletion of a project with all it has. See :meth:`submit`."""
        request, _ = split(DeleteProject, {}, project_id=project_id)
        return await self.submit(request, **options)

    async def status(self, task: int | str) -> TaskSnapshot:
        """The task as it is now.

        Raises:
            TaskNotFound: If there is none.
        """
        async with self._transaction() as session:
            return TaskSnapshot.of(await reading.find(session, task))

    async def look(self, task: int | str) -> TaskEvent:
        """The task as a watcher sees it now: with its place in the queue, and what hinders it.

        Raises:
            TaskNotFound: If there is none.
        """
        async with self._transaction() as session:
            return await reading.look(session, (await reading.find(session, task)).id)

    async def history(self, task: int | str) -> Sequence[TaskHistoryEntry]:
        """What happened to the task, oldest first: each attempt, and what became of it.

        It is kept as long as the task. Of a task that began under an older schema of the database,
        what happened before is not known.

        Raises:
            TaskNotFound: If there is none.
        """
        async with self._transaction() as session:
            return await history(session, await reading.find(session, task))

    async def workers(self) -> Sequence[WorkerSnapshot]:
        """The workers that are registered, with what each of them runs."""
        async with self._transaction() as session:
            return await list_workers(session)

    async def result(self, task: int | str) -> dict[str, Any]:
        """The result of a task that has succeeded.

        Raises:
            TaskNotFound: If there is no such task.
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

    async def cancel(self, task: int | str) -> TaskSnapshot:
        """Cancel a task.

        One that waits is cancelled at once and never runs. One that runs is stopped by its worker
        within about two seconds; until then its status stays ``started``.

        Returns:
            The task: cancelled, or with ``cancel_requested_at``.

        Raises:
            TaskNotFound: If there is no such task.
            TaskFinished: If it has come to its end.
        """
        async with self._transaction() as session:
            cancelled = TaskSnapshot.of(await cancel(session, task))
        await self._live.tell_change(cancelled.id)
        return cancelled

    async def list(self, **filters: Unpack[Filters]) -> TaskPage:
        """A page of tasks, newest first; see :class:`~lexiclass_core.tasks.reading.Filters`.

        Raises:
            ValueError: If the limit is below 1.
        """
        limit = filters.setdefault("limit", reading.PAGE_SIZE)
        async with self._transaction() as session:
            return TaskPage.of(await reading.page(session, **filters), limit=limit)

    async def wait(
        self, task: int | str, *, timeout_s: float | None = None, poll_interval_s: float = 0.1
    ) -> TaskSnapshot:
        """Wait until the task is final.

        Args:
            task: Row id or message id.
            timeout_s: Longest wait in seconds; None for as long as it takes.
            poll_interval_s: Seconds between two looks at the row.

        Raises:
            TaskNotFound: If there is no such task.
            TimeoutError: If it is not final in time.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                snapshot = await self.status(task)
                if snapshot.status.is_final:
                    return snapshot
                await asyncio.sleep(poll_interval_s)

    async def watch(
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
            TaskNotFound: If there is no such task.
            TimeoutError: If it is not final in time.
        """
        task_id = (await self.status(task)).id

        async def look() -> TaskEvent:
            async with self._transaction() as session:
                return await reading.look(session, task_id)

        async with self._live.of(task_id) as news:
            events = watching.watch(
                look, news, poll_interval_s=poll_interval_s, timeout_s=timeout_s
            )
            async with aclosing(events):
                async for event in events:
                    yield event

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        try:
            async with self._sessions.begin() as session:
                yield session
        except DATABASE_ERRORS as error:
            if not is_transient(error):
                raise
            raise DatabaseUnavailable(
                "PostgreSQL could not be reached, or gave up on a transaction: "
                f"{describe(error)}; try again"
            ) from error
