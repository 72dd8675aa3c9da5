"""Readies the sandbox before the first message, and ends its children with the worker."""

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

from lexiclass_worker import sandbox
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.metrics import count_model_lookup


class WarmSandbox(Middleware):
    """Starts the fork server at boot, where its seconds delay no task and no interrupt hits it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start it and wait for the libraries.

        Raises:
            ConfigurationError: If a limit cannot be kept.
            WorkerError: If the libraries cannot be imported.
        """
        del broker
        sandbox.configure(
            self._settings,
            tasks=worker.worker_threads,
            on_model_lookup=lambda lookup: count_model_lookup(result=lookup),
        )
        sandbox.warm_up()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """End the children that wait for work; those at work end with their tasks."""
        del broker, worker
        sandbox.close()
