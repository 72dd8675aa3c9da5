"""Dramatiq's knobs for long tasks, so that a bare ``dramatiq actors`` is safe too."""

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.config import DramatiqSettings


class Tuning(Middleware):
    """Sets what Dramatiq reads from the environment at import, before the consumers start."""

    def __init__(self, settings: DramatiqSettings) -> None:
        self._settings = settings

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Prefetch what the threads can run and no more; look at idle queues often.

        Whoever serves predictions serves their chunks too, though nobody names that queue.
        """
        del broker
        if worker.consumer_whitelist and QueueName.PREDICTION in worker.consumer_whitelist:
            worker.consumer_whitelist.add(QueueName.BULK)
        # Twice the threads, the default, hoards messages behind a long training.
        worker.queue_prefetch = worker.worker_threads
        worker.worker_timeout = self._settings.poll_interval_ms
