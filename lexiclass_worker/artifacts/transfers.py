"""What may have to be copied to or from far away, without stopping other tasks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def transferring(transfer: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Use what a storage lends; what is copied at its begin and end is done in a thread.

    What is on its way when the task is stopped is given back as soon as it is there.
    """
    entering = asyncio.create_task(asyncio.to_thread(transfer.__enter__))
    try:
        lent = await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda entered: _give_back(transfer, entered))
        raise
    try:
        yield lent
    except BaseException as error:
        if not await _leave(transfer, type(error), error, error.__traceback__):
            raise
    else:
        await _leave(transfer, None, None, None)


async def _leave(
    transfer: AbstractContextManager[T],
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> bool:
    # Not to be interrupted: half of a folder is no folder.
    leaving = asyncio.create_task(asyncio.to_thread(transfer.__exit__, kind, error, traceback))
    try:
        return bool(await asyncio.shield(leaving))
    except asyncio.CancelledError:
        await asyncio.wait({leaving})
        raise


def _give_back(transfer: AbstractContextManager[T], entered: "asyncio.Task[T]") -> None:
    if not entered.cancelled() and entered.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, transfer.__exit__, None, None, None)
