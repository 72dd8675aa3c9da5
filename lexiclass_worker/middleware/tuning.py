"""Dramatiq's knobs for long tasks, so that a bare ``dramatiq actors`` is safe too."""

import gc

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

from lexiclass_core.operations import queues_of_parts
from lexiclass_worker.queueing.thread_slots import ThreadSlots
from lexiclass_worker.setting_groups import DramatiqSettings


class Tuning(Middleware):
    """Sets what Dramatiq reads from the environment at import, before the consumers start."""

    def __init__(self, settings: DramatiqSettings, slots: ThreadSlots) -> None:
        self._settings = settings
        self._slots = slots

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Have a thread for each queue beside those that one of them may use.

        Whoever serves predictions serves their chunks too, though nobody names that queue.
        """
        if worker.consumer_whitelist:
            worker.consumer_whitelist |= queues_of_parts(worker.consumer_whitelist)
        queues = worker.consumer_whitelist or broker.get_declared_queues()
        worker.worker_threads = self._slots.open(queues, tasks=worker.worker_threads)
        worker.worker_timeout = self._settings.poll_interval_ms

    def after_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Leave what the libraries have made, which stays for good, out of garbage collections.

        They would look through it again for every few thousand documents of a task.
        """
        gc.collect()
        gc.freeze()
