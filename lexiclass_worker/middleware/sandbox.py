"""Readies the sandbox before the first message, and ends its children with the worker."""

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware
from loguru import logger

from lexiclass_worker import sandbox
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.telemetry.metrics import count_model_lookup


class WarmSandbox(Middleware):
    """Starts the fork server at boot, where its seconds delay no task and no interrupt hits it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start it and wait for the libraries.

        Raises:
            SystemExit: If they cannot be imported: a worker that can do nothing should not boot,
                and any other exception of a hook is logged and ignored.
        """
        del broker
        sandbox.configure(
            self._settings,
            tasks=worker.worker_threads,
            on_model_lookup=lambda lookup: count_model_lookup(result=lookup),
        )
        try:
            sandbox.warm_up()
        except WorkerError as error:
            logger.critical("The worker cannot start: {error}", error=error)
            raise SystemExit(1) from error

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """End the children that wait for work; those at work end with their tasks."""
        del broker, worker
        sandbox.close()
