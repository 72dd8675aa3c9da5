"""Ends of a worker: when it is told to, when its master is gone, after its tasks, without one."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event, Thread
from types import FrameType
from typing import Any, Final, cast

from dramatiq import Broker, Worker
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Middleware, Shutdown, ShutdownNotifications
from loguru import logger

from lexiclass_worker.config import Settings
from lexiclass_worker.execution.outcome import Snooze
from lexiclass_worker.queueing.thread_slots import ThreadSlots
from lexiclass_worker.telemetry.logs import configure_logging
from lexiclass_worker.telemetry.metrics_directory import open_directory, scraped_at_s

# The death of a parent with many threads is told once for each of them: that is one request.
_SAME_REQUEST_S: Final = 1.0

_WATCH_S: Final = 0.5

# Dramatiq looks once a second whether it was told to end; a busy machine may take many.
_HEEDED_S: Final = 30.0
_SHUTDOWN_MS: Final = 30_000


class Termination(Middleware):
    """Makes the second signal end the process at once, as Dramatiq means it to.

    Dramatiq leaves by ``sys.exit``, which waits for threads: for the event loop's, which nobody
    stops any more, and for those that wait for the sandbox, whose children end with this process.

    A worker whose master was killed would go on for ever, beside those that are started in its
    stead, with nobody to read its log: it shuts down as if the master had told it to. One whose
    master was killed while it waited for the worker's start heeds no signal, for it waits for ever
    to wake that master (``multiprocessing.Event.set``): it is shut down from beside.

    A worker that ends takes nothing any more. Dramatiq stops its consumers last, when its threads
    have ended: what was just handed back would be taken again by a thread that has not yet noticed,
    and run until the process is killed, for those that run are told to end once only.

    Args:
        slots: What has a message taken.
    """

    def __init__(self, settings: Settings, slots: ThreadSlots) -> None:
        self._settings = settings
        self._slots = slots
        self._has_booted, self._is_ending = Event(), Event()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Put a handler before Dramatiq's, and begin to watch the master."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        handle = _ending_at_once({key: each for key, each in before.items() if callable(each)})
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handle)
        # None in a worker that runs in a script's own process.
        if (master := multiprocessing.parent_process()) is not None:
            Thread(
                target=self._end_with,
                args=(master.pid, broker, worker),
                name="master-watch",
                daemon=True,
            ).start()

    def after_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """From now on the worker can be shut down."""
        self._has_booted.set()

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """It heeds what it was told."""
        self._is_ending.set()
        self._slots.close()

    def _end_with(self, master_pid: int | None, broker: Broker, worker: Worker) -> None:
        # Not by the process' sentinel: workers that were started later hold its other end.
        while os.getppid() == master_pid:
            time.sleep(_WATCH_S)
        # What the master read and passed on goes where the master wrote it.
        configure_logging(self._settings, stream=sys.__stderr__)
        logger.error("The master process is gone: this worker hands its tasks back and ends")
        if not self._is_ending.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
        self._has_booted.wait()
        if not self._is_ending.wait(_HEEDED_S):
            worker.stop(timeout=_SHUTDOWN_MS)
            broker.close()
            os._exit(1)


def _ending_at_once(
    first: Mapping[signal.Signals, Callable[[int, FrameType | None], Any]],
) -> Callable[[int, FrameType | None], None]:
    """A handler of several signals: whichever comes second ends the process."""
    asked_at: float | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = time.monotonic()
            first[signal.Signals(number)](number, frame)
        elif time.monotonic() - asked_at > _SAME_REQUEST_S:
            os._exit(1)

    return handle


class Interruptions(ShutdownNotifications):
    """Interrupts all that runs when the worker ends.

    Dramatiq goes through a set of threads to which others are added meanwhile, and from which they
    are removed: it would stop there, and those that come after would not be told.
    """

    def __init__(self) -> None:
        super().__init__(notify_shutdown=True)
        cast("Any", self.manager).notifications = _Threads()


class _Threads(set[int]):
    """Threads by number; gone through as they were when that began."""

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(super().__iter__()))


class MaxTasks(Middleware):
    """Tells the master to end, as a supervisor would, once the last task has ended.

    A task that was put off, for its project's turn say, is none: the message is back in its queue.

    A worker that was started for a task may find that another has done it, or that somebody has
    cancelled it: where it may not be idle for ever, it ends as well.

    Args:
        slots: What takes no more messages than there are tasks left.
    """

    def __init__(self, slots: ThreadSlots, settings: Settings) -> None:
        self._slots = slots
        self._settings = settings

    def after_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Begin to watch how long there is nothing to do."""
        if (idle_s := self._settings.limits.idle_s) is not None:
            _in_background("idle-watch", self._end_idle, idle_s)

    def after_process_message(
        self,
        _broker: Broker,
        _message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Count an attempt that has ended."""
        del result
        # A worker that is ending needs not be told, and a task that it interrupts has not ended.
        is_none = self._slots.is_closed or isinstance(exception, Snooze | Shutdown)
        if is_none or not self._slots.count_ended():
            return
        logger.info("The last task that this worker was to take has ended: so does its group")
        if (linger_s := self._settings.metrics.linger_s) > 0:
            # The message is not acknowledged before this returns.
            _in_background("last-scrape", self._end_scraped, linger_s)
        else:
            _end_group()

    def _end_idle(self, idle_s: float) -> None:
        # Not since the slots were set up: loading the libraries may take longer than this.
        began_s = time.monotonic()
        while min(self._slots.idle_s(), time.monotonic() - began_s) < idle_s:
            time.sleep(min(_WATCH_S, idle_s))
        if not self._slots.is_closed:
            logger.info("This worker has had no task for {:g} s: its group ends", idle_s)
            _end_group()

    def _end_scraped(self, linger_s: float) -> None:
        directory, ended_at_s = open_directory(self._settings), time.time()
        until_s = time.monotonic() + linger_s
        while time.monotonic() < until_s and scraped_at_s(directory) <= ended_at_s:
            time.sleep(_WATCH_S)
        _end_group()


def _in_background(name: str, work: Callable[[float], None], seconds: float) -> None:
    Thread(target=work, args=(seconds,), name=name, daemon=True).start()


def _end_group() -> None:
    master = multiprocessing.parent_process()
    os.kill(os.getpid() if master is None or master.pid is None else master.pid, signal.SIGTERM)
