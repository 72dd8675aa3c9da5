"""Ends a worker after so many tasks, as one does that was started for them."""

import multiprocessing
import os
import signal
from typing import Any

from dramatiq import Broker
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Middleware, Shutdown
from loguru import logger

from lexiclass_worker.execution.outcome import Snooze
from lexiclass_worker.queueing.thread_slots import ThreadSlots


class MaxTasks(Middleware):
    """Tells the master to end, as a supervisor would, once the last task has ended.

    A task that was put off, for its project's turn say, is none: the message is back in its queue.

    Args:
        slots: What takes no more messages than there are tasks left.
    """

    def __init__(self, slots: ThreadSlots) -> None:
        self._slots = slots

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Count an attempt that has ended."""
        del broker, message, result
        if isinstance(exception, Snooze | Shutdown) or not self._slots.count_ended():
            return
        logger.info("The last task that this worker was to take has ended: so does its group")
        master = multiprocessing.parent_process()
        os.kill(os.getpid() if master is None or master.pid is None else master.pid, signal.SIGTERM)
