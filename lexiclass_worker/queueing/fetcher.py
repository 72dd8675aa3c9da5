"""What decides which message a worker process takes next."""

from dataclasses import dataclass
from typing import Final

from lexiclass_worker.queueing.admission import AdmissionControl
from lexiclass_worker.queueing.order import QueueOrder, Taken
from lexiclass_worker.queueing.thread_slots import ThreadSlots

# They are in this worker's hands for a moment only.
_MOST_DUE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Takes a message only if a thread is free for it, its queue is open and its project's turn.

    Attributes:
        worker: The broker's id.
    """

    slots: ThreadSlots
    admission: AdmissionControl
    order: QueueOrder
    worker: str

    def take(self, queue: str) -> list[Taken]:
        """Take what can begin now. Whatever is taken is held by the slots until it is released.

        Raises:
            RedisError: If Redis does not answer.
        """
        if self.admission.is_paused(queue):
            return []
        taken: list[Taken] = []
        room = self.slots.reserve(queue)
        try:
            if room > 0:
                full = self.admission.full_groups(self.slots.groups(queue))
                taken = self.order.take(queue, self.worker, most=room, full=full)
        finally:
            self.slots.hold(queue, ((message.key, message.group) for message in taken))
        return taken

    def look(self, queue: str) -> None:
        """Look at what is new in a queue of which nothing can begin: it may be no message.

        Raises:
            RedisError: If Redis does not answer.
        """
        self.order.take(queue, self.worker, most=0)

    def take_due(self, queue: str) -> list[Taken]:
        """Take what is due of a delay queue, to be put on the queue itself, which needs no thread.

        Raises:
            RedisError: If Redis does not answer.
        """
        return self.order.take_due(queue, self.worker, most=_MOST_DUE)
