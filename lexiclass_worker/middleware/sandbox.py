"""Readies the sandbox before the first message, and ends its children with the worker."""

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

from lexiclass_worker.config import Settings
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.telemetry.counting import count_model_lookup, observe_child_memory


class WarmSandbox(Middleware):
    """Starts the fork server at boot, where its seconds delay no task and no interrupt hits it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sandbox: Sandbox | None = None

    @property
    def actor_options(self) -> set[str]:
        """Modules that the children of an actor's tasks find loaded."""
        return {"preloads"}

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox of this process.

        Raises:
            RuntimeError: Outside a booted worker.
        """
        if self._sandbox is None:
            raise RuntimeError("the sandbox is there in a booted worker process only")
        return self._sandbox

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start it and wait for the libraries.

        Raises:
            ConfigurationError: If a limit cannot be kept.
            WorkerError: If the libraries cannot be imported.
        """
        preloads = {name for each in broker.actors.values() for name in each.options["preloads"]}
        self._sandbox = Sandbox.from_settings(
            self._settings,
            tasks=worker.worker_threads,
            on_model_lookup=lambda lookup: count_model_lookup(result=lookup),
            on_memory_peak=lambda function, peak_bytes: observe_child_memory(
                function=function, peak_bytes=peak_bytes
            ),
        )
        self._sandbox.warm_up(preloads)

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """End the children that wait for work; those at work end with their tasks."""
        if self._sandbox is not None:
            self._sandbox.close()
