"""Dramatiq's series, counted right."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dramatiq import Broker, Message, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.common import q_name
from prometheus_client import Gauge

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.counting import close_metrics, configure_metrics, current_series
from lexiclass_worker.telemetry.exposition import serve
from lexiclass_worker.telemetry.metrics import UNKNOWN

if TYPE_CHECKING:
    from dramatiq import Worker


class Metrics(Middleware):
    """Counts messages under the names and labels of ``dramatiq.middleware.prometheus``.

    It stands in for that middleware and differs where the numbers were wrong: a skipped message
    is neither processed nor in progress; a delayed retry is counted when it is put off, not again
    when it comes due; a delayed message is in memory until it is acknowledged, whoever processes
    it; a message's queue is named without the suffix of its delay queue; durations come from a
    monotonic clock; and names that a raw message made up count as ``unknown``.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running = _Running()
        self._delayed: dict[str, Gauge] = {}
        self._delayed_lock = threading.Lock()

    @property
    def forks(self) -> list[Callable[[], int]]:
        """The server of /metrics, /healthz and /readyz, one for the group."""
        return [serve]

    def after_process_boot(self, _broker: Broker) -> None:
        """Let this worker process count."""
        configure_metrics(self._settings)

    def after_worker_shutdown(self, _broker: Broker, _worker: "Worker") -> None:
        """Take this process out of the gauges."""
        close_metrics()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Start the clock."""
        self._stop_clock()
        if (series := current_series()) is not None:
            gauge = series.messages_in_progress.labels(*_labels(broker, message))
            gauge.inc()
            self._running.started = (gauge, time.monotonic())

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """Count the message; time it if its start was seen."""
        del result
        elapsed_s = self._stop_clock()
        if (series := current_series()) is not None:
            labels = _labels(broker, message)
            series.messages.labels(*labels).inc()
            if exception is not None:
                series.message_errors.labels(*labels).inc()
            if elapsed_s is not None:
                series.message_durations_ms.labels(*labels).observe(elapsed_s * 1000)

    def after_skip_message(self, _broker: Broker, _message: MessageProxy) -> None:
        """A skipped message was not processed. Its start was seen only if a later hook skipped."""
        self._stop_clock()

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        """Count a retry: a message that was tried before and is now put off."""
        # One that comes due is enqueued again, without a delay: the same retry.
        is_retry = delay is not None and "retries" in message.options
        if is_retry and (series := current_series()) is not None:
            series.message_retries.labels(*_labels(broker, message)).inc()

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Count a dead letter."""
        self._release_delayed(message)
        if (series := current_series()) is not None:
            series.message_rejects.labels(*_labels(broker, message)).inc()

    def before_delay_message(self, broker: Broker, message: MessageProxy) -> None:
        """A delayed message is now held in memory."""
        if (series := current_series()) is None:
            return
        gauge = series.delayed_messages_in_progress.labels(*_labels(broker, message))
        with self._delayed_lock:
            # After a lost connection the same message is fetched and delayed again.
            if _delivery(message) not in self._delayed:
                self._delayed[_delivery(message)] = gauge
                gauge.inc()

    def after_ack(self, _broker: Broker, message: MessageProxy) -> None:
        """A delayed message is acknowledged once it moved to its queue."""
        self._release_delayed(message)

    def _release_delayed(self, message: MessageProxy) -> None:
        with self._delayed_lock:
            gauge = self._delayed.pop(_delivery(message), None)
        if gauge is not None:
            gauge.dec()

    def _stop_clock(self) -> float | None:
        """Seconds since the start, which is forgotten; None if there was none on this thread."""
        started, self._running.started = self._running.started, None
        if started is None:
            return None
        gauge, start = started
        gauge.dec()
        return time.monotonic() - start


class _Running(threading.local):
    """What this worker thread has started: both hooks of a message run on the same thread."""

    started: tuple[Gauge, float] | None = None


def _labels(broker: Broker, message: MessageProxy | Message[Any]) -> tuple[str, str]:
    """Names this worker declared. Those of a raw message could be anything, each a new series."""
    queue = q_name(message.queue_name)
    return (
        queue if queue in broker.get_declared_queues() else UNKNOWN,
        message.actor_name if message.actor_name in broker.actors else UNKNOWN,
    )


def _delivery(message: MessageProxy) -> str:
    """What Redis calls this message: a retry keeps its message id and gets a new one of these."""
    return str(message.options.get("redis_message_id", message.message_id))
