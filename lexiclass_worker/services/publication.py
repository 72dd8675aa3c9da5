"""Files and rows that become visible together, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from loguru import logger
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.schemas import Result
from lexiclass_worker.artifacts.storage import Publishable, Staged, Storage
from lexiclass_worker.artifacts.transfers import transferring
from lexiclass_worker.causes import cause_of
from lexiclass_worker.execution.context import TaskContext

# A session that says nothing for as long as a lease holds, which is 5 s at least, is ended.
_AWAKE_S: Final = 2.0


@asynccontextmanager
async def publication(
    task: TaskContext, source: Path, target: PurePosixPath, result: Result
) -> AsyncIterator[AsyncSession]:
    """The last transaction of a service that leaves a file or a folder behind.

    Everything slow, :func:`staging`, happens before it begins; the rest is :func:`publishing`.

    Raises:
        LeaseLost: If another worker has taken the task over; nothing is published.
        CancelRequested: If somebody wants the task cancelled; nothing is published.
    """
    async with staging(task, source, target) as staged, publishing(task, staged, result) as session:
        yield session


@asynccontextmanager
async def staging(task: TaskContext, source: Path, target: PurePosixPath) -> AsyncIterator[Staged]:
    """A finished file or folder near its place, for the time of a ``with`` block."""
    attempt = 0 if task.lease is None else task.lease.token
    async with transferring(_staged(task.storage, source, target, attempt)) as staged:
        yield staged


@contextmanager
def _staged(
    storage: Storage, source: Path, target: PurePosixPath, attempt: int
) -> Iterator[Staged]:
    staged = storage.stage(source, target, attempt)
    try:
        yield staged
    finally:
        try:
            staged.close()
        except Exception as error:  # noqa: BLE001 - what is left costs room, and no task
            logger.warning(
                "Work in progress stays for the reconciler to remove: {error}",
                error=cause_of(error),
            )


@asynccontextmanager
async def staging_files(
    task: TaskContext, files: Mapping[Path, PurePosixPath]
) -> AsyncIterator[Publishable]:
    """Finished files near their places for the time of a ``with`` block; they arrive in order."""
    async with AsyncExitStack() as stack:
        staged = [
            await stack.enter_async_context(staging(task, source, target))
            for source, target in files.items()
        ]
        yield _Several(staged)


@dataclass(frozen=True, slots=True)
class _Several:
    parts: Sequence[Staged]

    def publish(self) -> None:
        """See :class:`Staged`."""
        for part in self.parts:
            part.publish()

    def withdraw(self) -> None:
        """See :class:`Staged`."""
        for part in reversed(self.parts):
            part.withdraw()


@asynccontextmanager
async def publishing(
    task: TaskContext, staged: Publishable, result: Result
) -> AsyncIterator[AsyncSession]:
    """Put what is staged in its place in the transaction that closes the task.

    The task is locked, the files are put in their place, the caller writes its rows, and all of it
    is committed: of two workers that run one message, the one that lost its lease comes to no file
    of the other. When the rows cannot be written the files are taken back, unless another worker's
    lie there by then. When only the answer to the commit is lost they stay, for the rows may be
    there.

    Raises:
        LeaseLost: If another worker has taken the task over; nothing is published.
        CancelRequested: If somebody wants the task cancelled; nothing is published.
    """
    async with task.commit(result) as session:
        try:
            await _publish(staged, session)
            yield session
        except BaseException:
            staged.withdraw()
            raise


async def _publish(staged: Publishable, session: AsyncSession) -> None:
    """Put files in their place, while PostgreSQL hears that the transaction is not abandoned."""
    publication = asyncio.create_task(asyncio.to_thread(staged.publish))
    try:
        while not (await asyncio.wait({publication}, timeout=_AWAKE_S))[0]:
            await session.execute(text("SELECT 1"))
    finally:
        # The thread goes on all the same; what it does can be taken back once it is done.
        await asyncio.wait({publication})
    publication.result()
