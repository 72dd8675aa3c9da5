"""Whether the storage is the one that the database speaks of."""

import asyncio

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware
from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core import layout
from lexiclass_core.documents.stored import projects_with_files
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import translate
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.storage import Storage


class StoredFiles(Middleware):
    """Refuses to boot on an empty storage where there should be files: a path that is mistyped.

    Or a disk that is not mounted, under whose mount point everything would be written anew. Comes
    after Database, whose sessions it needs.

    Args:
        database: Where the sessions come from.
        storage: What STORAGE__BASE_PATH names.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Look once; a new storage, of which nothing is expected, is made.

        Raises:
            ConfigurationError: If the storage is empty, and the database is not.
            OSError: If the storage cannot be made.
        """
        del broker, worker
        if (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(self._look())

    async def _look(self) -> None:
        try:
            async with self._database.sessions() as session:
                expected = await projects_with_files(session)
        except SQLAlchemyError as error:
            # Others wait for PostgreSQL as well; a storage that is not there is made by nobody.
            logger.warning(
                "Whether the storage is the right one cannot be told: {error}",
                error=cause_of(error),
            )
            return
        await asyncio.to_thread(self._compare, expected)

    def _compare(self, expected: list[int]) -> None:
        storage = self._storage
        if not expected:
            storage.make_root()
            return
        try:
            is_there = any(storage.is_directory(layout.project_root(each)) for each in expected)
            is_there = is_there or not storage.is_empty()
        except Exception as error:
            failure = translate(error)
            if not failure.retryable:
                raise
            # As servers that are away do, a store that is does not keep a worker from its start.
            logger.warning(
                "Whether the storage is the right one cannot be told: {error}",
                error=failure.message,
            )
            return
        if not is_there:
            raise ConfigurationError(
                f"STORAGE__BASE_PATH {storage.root} is empty or not there, and the database has "
                f"projects with files, such as {expected[0]}: mount the storage, or correct the "
                "path"
            )
