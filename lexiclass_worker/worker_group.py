"""A group of worker processes under one Dramatiq master, started with the right options."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.config import export_environment

# Tasks stop within a second or two of a shutdown; Dramatiq's default would wait ten minutes.
_SHUTDOWN_TIMEOUT_MS: Final = 30_000
_STOP_PATIENCE_S: Final = 45.0
_POLL_S: Final = 0.05

_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with


def _open_own(path: str, flags: int) -> int:
    """Open a file that its owner alone may read: a log has names of classes and of documents."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


class WorkerGroupFailed(Exception):
    """The workers did not start; the message holds the end of their log."""


def dramatiq_command(*, processes: int, threads: int, queues: Sequence[QueueName]) -> list[str]:
    """The command line that runs workers.

    It is ``python -m dramatiq`` with our logging in the master process too. Only what is installed
    is imported: neither Python (``-P``) nor Dramatiq (an empty ``--path``) looks into the folder
    it is started in, which others may be able to write to.

    Args:
        processes: Worker processes.
        threads: Tasks that each process runs side by side.
        queues: Queues to listen on; all of them if empty.
    """
    options = [f"--processes={processes}", f"--threads={threads}"]
    options.append(f"--worker-shutdown-timeout={_SHUTDOWN_TIMEOUT_MS}")
    return [
        sys.executable, "-P", "-m", "lexiclass_worker", "actors", *options,
        *(["--queues", *queues] if queues else []), "--path",
    ]  # fmt: skip


@dataclass(slots=True, kw_only=True)
class WorkerGroup:
    """A running group, which tells at ``metrics_host`` that it is ready. Its log is in a file."""

    name: str
    metrics_host: str
    metrics_port: int
    log: Path
    process: subprocess.Popen[bytes]
    _stop_requested: bool = False

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        metrics_host: str = "127.0.0.1",
        metrics_port: int,
        log: Path,
    ) -> "WorkerGroup":
        """Start the processes; :meth:`wait_ready` says when they take messages.

        They count in a folder beside the log unless the environment names one: that of a port may
        hold what another group has counted, for a port that is free is often one used before.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        counts = {"METRICS__DIRECTORY": str(log.with_suffix(".metrics").absolute())}
        with open(log, "ab", opener=_open_own) as output:
            process = subprocess.Popen(
                command,
                env=export_environment(
                    {**counts, **environment, "METRICS__PORT": str(metrics_port)}
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal goes to the whole group: the workers are stopped in order
                # instead, before the servers they use.
                start_new_session=True,
            )
        return cls(
            name=name,
            # What listens everywhere listens here too.
            metrics_host="127.0.0.1" if metrics_host in _EVERYWHERE else metrics_host,
            metrics_port=metrics_port,
            log=log,
            process=process,
        )

    @property
    def metrics_address(self) -> str:
        """URL of its metrics and health, without the path."""
        host = f"[{self.metrics_host}]" if ":" in self.metrics_host else self.metrics_host
        return f"http://{host}:{self.metrics_port}"

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the group says it is ready.

        Raises:
            WorkerGroupFailed: If it ends, or is not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._is_ready():
            if self.process.poll() is not None:
                raise WorkerGroupFailed(
                    f"worker group {self.name} ended with {self.process.returncode}; its log "
                    f"{self.log} ends with:\n{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise WorkerGroupFailed(
                    f"worker group {self.name} was not ready after {timeout_s:g} s; its log "
                    f"{self.log} ends with:\n{self._log_tail()}"
                )
            time.sleep(_POLL_S)

    def request_stop(self) -> None:
        """Tell the group to end, without waiting; saying it twice does no harm."""
        if not self._stop_requested and self.process.poll() is None:
            self.process.terminate()
            self._stop_requested = True

    def stop(self) -> None:
        """Let running tasks go back to their queues, then end; by force if that takes too long."""
        self.request_stop()
        try:
            self.process.wait(_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            # The master and its workers share a session of their own.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _is_ready(self) -> bool:
        url = f"{self.metrics_address}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - http
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _log_tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4_000:]
