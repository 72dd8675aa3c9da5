"""The threads of a worker process, shared out among its queues so that none blocks another."""

import threading
import time
from collections import Counter
from collections.abc import Iterable


class ThreadSlots:
    """Says how many messages of each queue this process may take.

    A queue may use as many threads as the worker was asked for. Each other queue has one more of
    its own, so that however many trainings run, a prediction finds a thread. Nothing is taken
    without a thread that is free: a message that waits does so in Redis, where any other process
    can get at it, and never behind a long task of this one.

    One thread asks for each queue; any thread may say that a message is done.

    Args:
        most_tasks: Tasks after which nothing is taken any more; None for no such number.
    """

    def __init__(self, most_tasks: int | None = None) -> None:
        self._changed = threading.Condition()
        self._most_tasks = most_tasks
        self._is_closed = False
        self._ended = 0
        self._tasks = 0
        self._held: dict[str, dict[bytes, str | None]] = {}
        self._reserved: Counter[str] = Counter()
        self._idle_since_s = time.monotonic()

    def open(self, queues: Iterable[str], *, tasks: int) -> int:
        """Set up the slots of the queues that this process listens on, before anything is taken.

        Of one queue, ``tasks`` run side by side at most. Returned are the threads it takes.
        """
        self._is_closed = False
        self._idle_since_s = time.monotonic()
        self._tasks = tasks
        self._held = {queue: {} for queue in queues}
        return self._threads

    def reserve(self, queue: str) -> int:
        """Keep what threads there are for a queue, until :meth:`hold` says what became of them."""
        with self._changed:
            room = min(self._tasks - self._used(queue), self._free(queue))
            if self._is_closed:
                room = 0
            elif self._most_tasks is not None:
                room = min(room, self._most_tasks - self._ended - self._all_used())
            self._reserved[queue] = max(0, room)
            return self._reserved[queue]

    def close(self) -> None:
        """Let nothing be taken any more: this process ends."""
        with self._changed:
            self._is_closed = True

    @property
    def is_closed(self) -> bool:
        """Whether this process ends, and what it has taken goes back to its queue."""
        return self._is_closed

    def hold(self, queue: str, messages: Iterable[tuple[bytes, str | None]]) -> None:
        """Note messages that were taken, by key, with their groups; the rest is given back."""
        with self._changed:
            self._reserved[queue] = 0
            self._held[queue].update(messages)
            self._changed.notify_all()

    def release(self, queue: str, key: bytes) -> None:
        """Note that a message is done; nothing happens if it was not held."""
        with self._changed:
            self._held.get(queue, {}).pop(key, None)
            self._idle_since_s = time.monotonic()
            self._changed.notify_all()

    def count_ended(self) -> bool:
        """Note that a task has ended here. Returns whether that was the last one to take."""
        with self._changed:
            self._ended += 1
            return self._ended == self._most_tasks

    def idle_s(self) -> float:
        """Seconds since this process last held a message; 0 while it holds one."""
        with self._changed:
            is_busy = any(self._held.values())
            return 0.0 if is_busy else time.monotonic() - self._idle_since_s

    def held(self, queue: str) -> set[bytes]:
        """Keys of the messages of a queue that are in this process' hands."""
        with self._changed:
            return set(self._held.get(queue, {}))

    def groups(self, queue: str) -> Counter[str]:
        """How many messages of each group are."""
        with self._changed:
            return Counter(group for group in self._held[queue].values() if group is not None)

    def wait_for_room(self, queue: str, timeout_s: float) -> bool:
        """Wait until a message is done, if there is no room for a queue; True if there was none."""
        with self._changed:
            if self._used(queue) < self._tasks and self._free(queue) > 0:
                return False
            self._changed.wait(timeout_s)
            return True

    @property
    def _threads(self) -> int:
        return self._tasks + len(self._held) - 1

    def _used(self, queue: str) -> int:
        return len(self._held[queue]) + self._reserved[queue]

    def _all_used(self) -> int:
        return sum(map(self._used, self._held))

    def _free(self, queue: str) -> int:
        """Threads that nobody uses and that are not another queue's only one."""
        others = sum(max(1, self._used(other)) for other in self._held if other != queue)
        return self._threads - others - self._used(queue)
