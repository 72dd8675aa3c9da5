"""Folders of a storage that may have to be copied from far away, without stopping other tasks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType


@asynccontextmanager
async def transferring(folder: AbstractContextManager[Path]) -> AsyncIterator[Path]:
    """Use a folder that a storage lends; what is copied at its begin and end is done in a thread.

    One that is being fetched when the task is stopped is given back as soon as it is there.
    """
    entering = asyncio.create_task(asyncio.to_thread(folder.__enter__))
    try:
        path = await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda entered: _give_back(folder, entered))
        raise
    try:
        yield path
    except BaseException as error:
        if not await _leave(folder, type(error), error, error.__traceback__):
            raise
    else:
        await _leave(folder, None, None, None)


async def _leave(
    folder: AbstractContextManager[Path],
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> bool:
    # Not to be interrupted: half of a folder is no folder.
    leaving = asyncio.create_task(asyncio.to_thread(folder.__exit__, kind, error, traceback))
    try:
        return bool(await asyncio.shield(leaving))
    except asyncio.CancelledError:
        await asyncio.wait({leaving})
        raise


def _give_back(folder: AbstractContextManager[Path], entered: "asyncio.Task[Path]") -> None:
    if not entered.cancelled() and entered.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, folder.__exit__, None, None, None)
