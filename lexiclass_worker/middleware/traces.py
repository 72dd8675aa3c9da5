"""Lets a worker process record traces, where the variables of OpenTelemetry ask for them."""

from typing import TYPE_CHECKING

from dramatiq import Broker, Middleware
from loguru import logger

from lexiclass_worker.telemetry.trace_export import TracesUnavailable, close_traces, open_tracer
from lexiclass_worker.telemetry.tracing import use_tracer

if TYPE_CHECKING:
    from dramatiq import Worker


class Traces(Middleware):
    """Begins with the process and ends with it. It changes no message.

    Spans are made where a task is taken, in :mod:`lexiclass_worker.execution.lifecycle`: a hook
    does not know its row.
    """

    def __init__(self) -> None:
        self._is_open = False

    def after_process_boot(self, _broker: Broker) -> None:
        """Begin, in the process whose threads export; tasks run without traces if that fails."""
        try:
            tracer = open_tracer()
        except TracesUnavailable as error:
            logger.warning("No traces are recorded: {error}", error=str(error))
            return
        use_tracer(tracer)
        self._is_open = tracer is not None

    def after_worker_shutdown(self, _broker: Broker, _worker: "Worker") -> None:
        """Export what is left."""
        if self._is_open:
            use_tracer(None)
            close_traces()
