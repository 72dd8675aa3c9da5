"""The client that publishes live events: on the process' event loop, like the tasks themselves."""

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware

from lexiclass_worker.execution.live_events import LiveEvents
from lexiclass_worker.setting_groups import DramatiqSettings


class LiveEventsClient(Middleware):
    """Gives each worker process a client for live events. Comes after AsyncIO."""

    def __init__(self, settings: DramatiqSettings) -> None:
        self._settings = settings
        self.events: LiveEvents | None = None
        """The client; None outside a booted worker."""

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Make the client; it connects when it first publishes."""
        self.events = LiveEvents(
            self._settings.broker_url.get_secret_value(), self._settings.namespace
        )

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Close the connections where they were opened: on the event loop's thread."""
        if self.events is not None and (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(self.events.close())
        self.events = None
