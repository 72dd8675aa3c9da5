"""The process' leases: kept on its event loop, like the engine they are kept with."""

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware

from lexiclass_worker.config import Settings
from lexiclass_worker.execution.lease_keeper import LeaseKeeper
from lexiclass_worker.middleware.database import Database


class Leases(Middleware):
    """Gives each worker process a lease keeper. Comes after Database, whose sessions it needs.

    A lease lasts as long as Dramatiq's heartbeat: when a message is delivered again because its
    worker went silent, the lease of that worker has lapsed too.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._duration_s = settings.dramatiq.heartbeat_timeout_ms / 1000
        self._database = database
        self._keeper: LeaseKeeper | None = None

    @property
    def keeper(self) -> LeaseKeeper:
        """The leases of this process.

        Raises:
            RuntimeError: Outside a booted worker.
        """
        if self._keeper is None:
            raise RuntimeError("leases are there in a booted worker process only")
        return self._keeper

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Make the keeper."""
        self._keeper = LeaseKeeper(self._database.sessions, duration_s=self._duration_s)

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Hand back what is left, and end its background task, before loop and engine go."""
        if self._keeper is not None and (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(self._keeper.hand_back())
            thread.run_coroutine(self._keeper.close())
        self._keeper = None
