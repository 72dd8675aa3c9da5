"""Run a server program as a child that ends with this process, whatever ends it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO

from lexiclass_worker.embedded.account import Account
from lexiclass_worker.embedded.errors import EmbeddedServerFailed

_LAUNCHER = Path(__file__).with_name("launch.py")
_HOST = "127.0.0.1"
# Nothing of the caller's environment: PGPORT, PGOPTIONS and the like would change the server.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
_LOG_TAIL_BYTES = 4_000


class ServerProcess:
    """A running child, in a session of its own.

    The own session keeps the terminal's Ctrl-C away from it: the owner stops its servers in order,
    after what uses them. On Linux the kernel sends `death_signal` should the owner die first.

    Args:
        account: Whom to run it as; None for the current user.
        keep_open: File descriptors the program inherits, a lock for example.

    Raises:
        OSError: The launcher can't be started.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: BinaryIO,
        account: Account | None,
        death_signal: signal.Signals,
        keep_open: Sequence[int],
    ) -> None:
        self._command = launch_command(command, account=account, death_signal=death_signal)
        self._keep_open = tuple(keep_open)
        self._exited = Event()
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel's "parent died" means the THREAD that made the child, so a thread that lives
        # as long as the child makes it: a pool thread that ends must not take a server along.
        thread = Thread(
            target=self._launch_and_wait, args=(log, started), name="embedded-server", daemon=True
        )
        thread.start()
        self._process = started.result()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return not self._exited.is_set()

    @property
    def returncode(self) -> int | None:
        """How it ended: the exit status, or minus the signal; None while it runs."""
        return self._process.returncode if self._exited.is_set() else None

    def stop(self, escalation: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send each signal and wait its seconds for the end; SIGKILL after the last."""
        for stop_signal, patience_s in escalation:
            self._process.send_signal(stop_signal)
            if self._exited.wait(patience_s):
                return
        self._process.kill()
        self._exited.wait()

    def _launch_and_wait(self, log: BinaryIO, started: Future[subprocess.Popen[bytes]]) -> None:
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",  # the account may not be able to enter ours
                env=_ENVIRONMENT,
                pass_fds=self._keep_open,
                start_new_session=True,
            )
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
            started.set_exception(error)
            return
        started.set_result(process)
        process.wait()
        self._exited.set()


def run_to_end(
    command: Sequence[str | Path],
    *,
    account: Account | None,
    keep_open: Sequence[int],
    timeout_s: float,
) -> None:
    """Run a helper program such as `initdb` under the same conditions as a server.

    Raises:
        EmbeddedServerFailed: It took longer than `timeout_s` seconds or did not exit with 0.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            launch_command(command, account=account, death_signal=signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=tuple(keep_open),
            start_new_session=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerFailed(f"{name} did not end within {timeout_s:g} s") from error
    if done.returncode != 0:
        output = done.stdout[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        raise EmbeddedServerFailed(f"{name} ended with {done.returncode}:\n{output}")


def launch_command(
    command: Sequence[str | Path], *, account: Account | None, death_signal: signal.Signals
) -> list[str]:
    """The command line that runs `command` through the launcher."""
    uid, gid = (account.uid, account.gid) if account is not None else (-1, -1)
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER)]
    settings = [os.getpid(), int(death_signal), uid, gid]
    return [*launcher, *map(str, settings), *map(str, command)]


def is_port_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on; another program may still take it first."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def log_tail(path: Path) -> str:
    """The end of a log, for an error message; empty where there is no log."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
        return log.read().decode(errors="replace").strip()
