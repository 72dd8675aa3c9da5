"""A task, with the type of what comes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, Unpack

from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.events import TaskEvent
from lexiclass_core.schemas import Result
from lexiclass_core.tasks.history import TaskHistoryEntry
from lexiclass_core.tasks.submission import SubmitOptions

if TYPE_CHECKING:
    from lexiclass_core.client.base import BaseTaskClient
    from lexiclass_core.client.synchronous import TaskClient

ResultT = TypeVar("ResultT", bound=Result)
ResultT_co = TypeVar("ResultT_co", bound=Result, covariant=True)


class RequestFor(Protocol[ResultT_co]):
    """A :class:`~lexiclass_core.schemas.Request` whose tasks have a result of one type."""

    @classmethod
    def result_type(cls) -> type[ResultT_co]:
        """That type."""


class _Handle(Generic[ResultT]):
    def __init__(self, client: Any, snapshot: TaskSnapshot, result_type: type[ResultT]) -> None:
        self._client = client
        self._result_type = result_type
        self.snapshot = snapshot

    @property
    def id(self) -> int:
        """The id of its row."""
        return self.snapshot.id

    @property
    def message_id(self) -> str:
        """The id of its message."""
        return self.snapshot.message_id


class AsyncTaskHandle(_Handle[ResultT]):
    """A task.

    Attributes:
        snapshot: The task as it was when this was made.
    """

    _client: BaseTaskClient

    async def status(self) -> TaskSnapshot:
        """The task as it is now."""
        return await self._client.status(self.id)

    async def history(self) -> Sequence[TaskHistoryEntry]:
        """What happened to it, oldest first."""
        return await self._client.history(self.id)

    def watch(
        self, *, timeout_s: float | None = None, poll_interval_s: float = 1.0
    ) -> AsyncGenerator[TaskEvent]:
        """Events until it has ended; see :meth:`AsyncTaskClient.watch`."""
        return self._client.watch(self.id, timeout_s=timeout_s, poll_interval_s=poll_interval_s)

    async def cancel(self) -> TaskSnapshot:
        """Cancel it; see :meth:`AsyncTaskClient.cancel`."""
        return await self._client.cancel(self.id)

    async def retry(self, **options: Unpack[SubmitOptions]) -> AsyncTaskHandle[ResultT]:
        """Submit it once more, as a new task; see :meth:`AsyncTaskClient.retry`."""
        again = await self._client.retry(self.id, **options)
        return AsyncTaskHandle(self._client, again, self._result_type)

    async def result(self, timeout_s: float | None = None) -> ResultT:
        """Wait for the result; its end is told by its worker, so nothing is asked again and again.

        Args:
            timeout_s: Longest wait in seconds; None for as long as it takes.

        Raises:
            TaskFailed: If it failed or was cancelled; carries its error.
            TimeoutError: If it is not final in time.
        """
        async for _ in self.watch(timeout_s=timeout_s):
            pass
        return self._result_type.model_validate(await self._client.result(self.id))


class TaskHandle(_Handle[ResultT]):
    """A task, for code without an event loop; see :class:`AsyncTaskHandle`."""

    _client: TaskClient

    def status(self) -> TaskSnapshot:
        """See :meth:`AsyncTaskHandle.status`."""
        return self._client.status(self.id)

    def history(self) -> Sequence[TaskHistoryEntry]:
        """See :meth:`AsyncTaskHandle.history`."""
        return self._client.history(self.id)

    def watch(
        self, *, timeout_s: float | None = None, poll_interval_s: float = 1.0
    ) -> Iterator[TaskEvent]:
        """See :meth:`AsyncTaskHandle.watch`."""
        return self._client.watch(self.id, timeout_s=timeout_s, poll_interval_s=poll_interval_s)

    def cancel(self) -> TaskSnapshot:
        """See :meth:`AsyncTaskHandle.cancel`."""
        return self._client.cancel(self.id)

    def retry(self, **options: Unpack[SubmitOptions]) -> TaskHandle[ResultT]:
        """See :meth:`AsyncTaskHandle.retry`."""
        again = self._client.retry(self.id, **options)
        return TaskHandle(self._client, again, self._result_type)

    def result(self, timeout_s: float | None = None) -> ResultT:
        """See :meth:`AsyncTaskHandle.result`."""
        for _ in self.watch(timeout_s=timeout_s):
            pass
        return self._result_type.model_validate(self._client.result(self.id))
