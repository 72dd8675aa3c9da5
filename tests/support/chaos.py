"""Workers and servers that are killed, stopped and restarted at random, on a disk that fails."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

import psutil

from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from lexiclass_worker.embedded.errors import EmbeddedServerError
from lexiclass_worker.embedded.process import free_port, log_tail
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.disks import leave_free, remounted
from tests.support.processes import sandbox_children, worker_processes
from tests.support.workers import wait_until

Fault = Callable[[], None]

# Beyond the workers' heartbeat timeout, so that others take over what a stalled one has.
_LONGEST_STALL_S = 8.0
_LONGEST_OUTAGE_S = 3.0


@dataclass(slots=True)
class SupervisedGroup:
    """A worker group that is started again when it ends, as a container is.

    Attributes:
        name: For its log.
        command: What starts it.
        environment: Its settings.
        log: Of all its runs.
        metrics_port: The same for all its runs; any, for each, if 0.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    metrics_port: int = 0
    group: WorkerGroup | None = None
    _closed: bool = False
    _lock: Lock = field(default_factory=Lock)

    def keep_up(self) -> None:
        """Start it if it does not run."""
        with self._lock:
            ended = self.group is None or self.group.process.poll() is not None
            if ended and not self._closed:
                self.group = WorkerGroup.start(
                    self.name,
                    self.command,
                    environment=self.environment,
                    metrics_port=self.metrics_port or free_port(),
                    log=self.log,
                )

    def pid(self) -> int:
        """Of its master."""
        assert self.group is not None
        return self.group.process.pid

    def restart(self) -> None:
        """End it in order."""
        if self.group is not None:
            self.group.stop()

    def close(self) -> None:
        """End it for good."""
        with self._lock:
            self._closed = True
        self.restart()


class Chaos:
    """What goes wrong, in two threads: one for workers, one for servers and the disk.

    Args:
        seed: Of every choice.
        groups: The workers.
        redis: Restarted with what it kept.
        postgres: Restarted with what it kept.
        disk: A mount of its own, which turns full and read-only; None where there is none.
    """

    def __init__(
        self,
        seed: int,
        groups: list[SupervisedGroup],
        redis: EmbeddedRedis,
        postgres: EmbeddedPostgres,
        disk: Path | None,
    ) -> None:
        self.done: Counter[str] = Counter()
        self._groups, self._redis, self._postgres, self._disk = groups, redis, postgres, disk
        self._over = Event()
        self._failures: list[BaseException] = []
        self._of_workers = random.Random(f"{seed} workers")
        self._of_servers = random.Random(f"{seed} servers")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Let things go wrong until the end of a ``with`` block; then all is well again."""
        on_workers: dict[str, Fault] = {
            "child killed": self._kill_child,
            "worker killed": self._kill_worker,
            "group killed": self._kill_group,
            "group restarted": lambda: self._of_workers.choice(self._groups).restart(),
            "group stalled": self._stall,
        }
        on_servers: dict[str, Fault] = {
            "Redis killed": lambda: self._outage(self._redis, signal.SIGKILL),
            "Redis restarted": lambda: self._outage(self._redis, signal.SIGTERM),
            "PostgreSQL killed": lambda: self._outage(self._postgres, signal.SIGQUIT),
            "PostgreSQL restarted": lambda: self._outage(self._postgres, signal.SIGINT),
        }
        if self._disk is not None:
            on_servers |= {"disk full": self._fill, "disk read-only": self._forbid_writing}
        threads = [
            Thread(target=self._run, args=(self._of_workers, on_workers)),
            Thread(target=self._run, args=(self._of_servers, on_servers)),
            Thread(target=self._supervise),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        for failure in self._failures:
            raise failure

    def keep_up(self) -> None:
        """Start every group that has ended."""
        for group in self._groups:
            group.keep_up()

    def _supervise(self) -> None:
        while not self._over.wait(0.2):
            self.keep_up()

    def _run(self, choices: random.Random, faults: dict[str, Fault]) -> None:
        # Each once before any twice.
        waiting: list[str] = []
        while not self._over.wait(choices.uniform(0.2, 1.5)):
            if not waiting:
                waiting = choices.sample(sorted(faults), len(faults))
            name = waiting.pop()
            try:
                faults[name]()
            except BaseException as failure:  # noqa: BLE001 - of a thread, raised by going_on
                self._failures.append(failure)
                return
            self.done[name] += 1

    def _kill_child(self) -> None:
        children = [child for group in self._groups for child in sandbox_children(group.pid())]
        if children:
            _kill(self._of_workers.choice(children))

    def _kill_worker(self) -> None:
        workers = worker_processes(self._of_workers.choice(self._groups).pid())
        if workers:
            _kill(self._of_workers.choice(workers))

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._of_workers.choice(self._groups).pid(), signal.SIGKILL)

    def _stall(self) -> None:
        workers = worker_processes(self._of_workers.choice(self._groups).pid())
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.suspend()
        self._over.wait(self._of_workers.uniform(0.5, _LONGEST_STALL_S))
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.resume()

    def _outage(self, server: EmbeddedRedis | EmbeddedPostgres, how: signal.Signals) -> None:
        pid = server.pid
        assert pid is not None, f"{server.name} has ended by itself: {log_tail(server.log_path)}"
        os.kill(pid, how)
        # Whether it is there can't be asked by its number, which goes while one asks.
        wait_until(lambda: not server.is_running)
        server.stop()
        time.sleep(self._of_servers.uniform(0, _LONGEST_OUTAGE_S))
        start_again(server)

    def _fill(self) -> None:
        assert self._disk is not None
        ballast = None
        try:
            # Somebody may have taken what was free.
            with suppress(OSError):
                ballast = leave_free(self._disk, self._of_servers.choice([0, 2**12, 2**16]))
            time.sleep(self._of_servers.uniform(0.5, _LONGEST_OUTAGE_S))
        finally:
            (ballast or self._disk / "ballast").unlink(missing_ok=True)

    def _forbid_writing(self) -> None:
        assert self._disk is not None
        # Not while a file is open for writing.
        for _ in range(200):
            if remounted(self._disk, "ro"):
                time.sleep(self._of_servers.uniform(0.5, _LONGEST_OUTAGE_S))
                assert remounted(self._disk, "rw")
                return
            time.sleep(0.02)


def _kill(process: psutil.Process) -> None:
    # It may end by itself meanwhile.
    with suppress(psutil.NoSuchProcess):
        process.kill()


def start_again(server: EmbeddedRedis | EmbeddedPostgres) -> None:
    """Start a server that was killed; the last of its processes may still be there."""
    for attempt in range(20):
        try:
            server.start()
        except EmbeddedServerError:
            if attempt == 19:
                raise
            time.sleep(0.5)
        else:
            return
