"""The task client for asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client.errors import (
    BrokerUnavailable,
    DatabaseUnavailable,
    TaskFailed,
    TaskNotFinished,
    TaskNotFound,
)
from lexiclass_core.client.messages import Sender, create_message, new_message_id
from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import Request, TaskError


class AsyncTaskClient:
    """Submits requests and follows the tasks they become.

    A task is named by its row id (an int) or its message id (a str).

    Args:
        database_uri: ``postgresql+asyncpg://user:password@host:5432/database``.
        broker_url: ``redis://host:6379/0``.
        namespace: Prefix of the broker's keys, the workers' DRAMATIQ__NAMESPACE.
        pool_size: Database connections kept open.
    """

    def __init__(
        self, *, database_uri: str, broker_url: str, namespace: str = "dramatiq", pool_size: int = 5
    ) -> None:
        self._engine = create_engine(
            database_uri, pool_size=pool_size, application_name="lexiclass-client"
        )
        self._sessions = create_session_factory(self._engine)
        self._sender = Sender(broker_url, namespace)

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
        await self._engine.dispose()

    async def submit(self, request: Request, *, correlation_id: str | None = None) -> TaskSnapshot:
        """Write the task's row, then send its message.

        Args:
            request: What to do, such as :class:`~lexiclass_core.schemas.TrainFieldModel`.
            correlation_id: Carried to every log line of the task; the message id when not given.

        Returns:
            The pending task.

        Raises:
            BrokerUnavailable: If Redis cannot be reached; no task is left behind.
            DatabaseUnavailable: If PostgreSQL cannot be reached; nothing was sent.
        """
        message_id = new_message_id()
        message = create_message(request, message_id, correlation_id or message_id)
        async with self._transaction() as session:
            task = await session.scalar(
                insert(Task)
                .values(
                    project_id=request.project_id,
                    message_id=message_id,
                    type=request.actor_name,
                    request=message.kwargs,
                    correlation_id=message.options["correlation_id"],
                )
                .returning(Task)
            )
        if task is None:
            raise RuntimeError("INSERT ... RETURNING gave no row")
        snapshot = TaskSnapshot.of(task)
        try:
            await asyncio.to_thread(self._sender.send, message)
        except BrokerUnavailable:
            # A row that nobody will ever run would be an orphan.
            async with self._transaction() as session:
                await session.execute(
                    delete(Task).where(Task.id == snapshot.id, Task.status == TaskStatus.PENDING)
                )
            raise
        return snapshot

    async def status(self, task: int | str) -> TaskSnapshot:
        """The task as it is now.

        Raises:
            TaskNotFound: If there is none.
            DatabaseUnavailable: If PostgreSQL cannot be reached.
        """
        async with self._transaction() as session:
            return TaskSnapshot.of(await _find(session, task))

    async def result(self, task: int | str) -> dict[str, Any]:
        """The result of a task that has succeeded.

        Raises:
            TaskNotFound: If there is no such task.
            TaskNotFinished: If it has no result yet.
            TaskFailed: If it failed or was cancelled.
            DatabaseUnavailable: If PostgreSQL cannot be reached.
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
            TaskNotFound: If there is no such task.
            TimeoutError: If it is not final in time.
            DatabaseUnavailable: If PostgreSQL cannot be reached.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                snapshot = await self.status(task)
                if snapshot.status.is_final:
                    return snapshot
                await asyncio.sleep(poll_interval_s)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        try:
            async with self._sessions.begin() as session:
                yield session
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
            raise DatabaseUnavailable(
                f"PostgreSQL could not be reached ({type(error).__name__}); try again"
            ) from error


async def _find(session: AsyncSession, task: int | str) -> Task:
    column = Task.id if isinstance(task, int) else Task.message_id
    row = await session.scalar(select(Task).where(column == task)) if _can_be(task) else None
    if row is None:
        raise TaskNotFound(task)
    return row


def _can_be(task: int | str) -> bool:
    """Whether the column could hold this id: PostgreSQL refuses to look for any other."""
    if isinstance(task, int):
        return -(2**63) <= task < 2**63
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in task)
