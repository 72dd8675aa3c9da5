"""Whether the storage is the one that the database speaks of."""

import asyncio

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware
from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core import layout
from lexiclass_core.documents import ForeignStorage
from lexiclass_core.documents.ownership import Owner, claim, require_own, this_database
from lexiclass_core.documents.stored import projects_with_files
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import translate
from lexiclass_worker.middleware.database import Database


class StoredFiles(Middleware):
    """Refuses to boot on the storage of another database, or on one without the files of this.

    The path is mistyped, or a disk is not mounted, under whose mount point everything would be
    written anew. A storage that is this database's is marked as such. Comes after Database, whose
    sessions it needs.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Look once; a new storage, of which nothing is expected, is made.

        Raises:
            ConfigurationError: If the storage is another database's, or has no file of a project,
                and this database has some.
            OSError: If the storage cannot be made.
        """
        if (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(self._look())

    async def _look(self) -> None:
        try:
            async with self._database.sessions() as session:
                own = await this_database(session)
                expected = await projects_with_files(session)
        except SQLAlchemyError as error:
            # Others wait for PostgreSQL as well; a storage that is not there is made by nobody.
            logger.warning(
                "Whether the storage is the right one cannot be told: {error}",
                error=cause_of(error),
            )
            return
        await asyncio.to_thread(self._compare, expected, own)

    def _compare(self, expected: list[int], own: Owner | None) -> None:
        storage = self._storage
        if not expected:
            storage.make_root()
        try:
            owner = require_own(storage, own)
            is_empty = storage.is_empty()
            is_there = any(storage.is_directory(layout.project_root(each)) for each in expected)
        except ForeignStorage as error:
            raise ConfigurationError(str(error)) from error
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
        if expected and not is_there and (is_empty or owner is None):
            found = "is empty or not there" if is_empty else "has files of other projects only"
            raise ConfigurationError(
                f"STORAGE__BASE_PATH {storage.root} {found}, and the database has projects with "
                f"files, such as {expected[0]}: mount the storage, or correct the path"
            )
        if owner is None and own is not None and (is_there or is_empty):
            self._mark(own)

    def _mark(self, own: Owner) -> None:
        try:
            claim(self._storage, own)
        except ForeignStorage as error:
            raise ConfigurationError(str(error)) from error
        except Exception as error:  # noqa: BLE001 - it serves all the same
            logger.warning(
                "The storage cannot be marked as that of this database: {error}",
                error=cause_of(error),
            )
