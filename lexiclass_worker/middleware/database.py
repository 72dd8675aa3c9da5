"""The database engine's life: made in each process after the fork, disposed on its event loop.

It owns the engine and nothing of any transaction: those begin and end in the actors' bodies.
"""

from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.middleware import Middleware
from sqlalchemy.ext.asyncio import AsyncEngine

from lexiclass_core.db import SessionFactory, create_engine, create_session_factory
from lexiclass_worker.config import Settings
from lexiclass_worker.repositories.stalled_sessions import WORKER_NAME


class Database(Middleware):
    """Gives each worker process an engine. Comes after AsyncIO, whose event loop it needs.

    Raises:
        ConfigurationError: If DATABASE_URI is not set; at once, not at the first message.
    """

    def __init__(self, settings: Settings) -> None:
        self._uri = settings.require_database_uri()
        self._settings = settings.database
        self._silence_s = settings.dramatiq.heartbeat_timeout_ms / 1000
        self._engine: AsyncEngine | None = None
        self._sessions: SessionFactory | None = None

    @property
    def sessions(self) -> SessionFactory:
        """Sessions of this process.

        Raises:
            RuntimeError: Outside a booted worker.
        """
        if self._sessions is None:
            raise RuntimeError("the database is there in a booted worker process only")
        return self._sessions

    def before_worker_boot(self, _broker: Broker, worker: Worker) -> None:
        """Make the engine; a pool that crossed a fork would share its sockets."""
        self._engine = create_engine(
            self._uri,
            # Each thread runs one task, which uses one connection at a time and one for progress.
            pool_size=max(self._settings.pool_size, worker.worker_threads),
            application_name=WORKER_NAME,
            command_timeout_s=self._settings.command_timeout_s,
            # A process that is stopped in the middle of a commit must not keep its task locked.
            idle_in_transaction_timeout_s=self._silence_s,
        )
        self._sessions = create_session_factory(self._engine)

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Close the connections where they were opened: on the event loop's thread."""
        if self._engine is not None:
            _event_loop().run_coroutine(self._engine.dispose())
        self._engine = self._sessions = None


def _event_loop() -> EventLoopThread:
    thread = get_event_loop_thread()
    if thread is None:
        raise RuntimeError("no event loop: Database must come after AsyncIO in the middleware list")
    return thread
