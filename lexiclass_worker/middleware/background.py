"""What a worker process does beside its tasks, for as long as it lives."""

import asyncio
from abc import abstractmethod
from typing import Final

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware
from loguru import logger

from lexiclass_core.background import end

_PAUSE_S: Final = 5.0


class BackgroundWork(Middleware):
    """Work on the process' event loop that no exception ends. Comes after AsyncIO."""

    def __init__(self) -> None:
        self._work: asyncio.Task[None] | None = None

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Begin, in the background."""
        if (thread := get_event_loop_thread()) is not None:
            self._work = thread.run_coroutine(self._begin())

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """End before the engine and the loop go."""
        if self._work is not None and (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(end(self._work))
        self._work = None

    async def prepare(self) -> None:
        """Do what has to be done before the first message is taken."""

    @abstractmethod
    async def work(self) -> None:
        """Do the work, for ever. What it raises is logged, and it begins again after a pause."""

    async def _begin(self) -> asyncio.Task[None]:
        await self.prepare()
        return asyncio.create_task(self._run(), name=type(self).__name__)

    async def _run(self) -> None:
        while True:
            try:
                await self.work()
            except Exception:  # noqa: BLE001 - a library may raise anything, and the work must go on
                logger.exception("{work} failed unexpectedly", work=type(self).__name__)
            await asyncio.sleep(_PAUSE_S)
