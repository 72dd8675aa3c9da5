"""The fork server and its children as the worker sees them."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Lock
from typing import Any, Final

from loguru import logger

from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import environment_of_children
from lexiclass_worker.errors import InternalError, TransientError
from lexiclass_worker.jobs.modules import MODULES
from lexiclass_worker.sandbox import frames
from lexiclass_worker.sandbox.printed import OutputPipe

# The worker's path instead of an environment, which may hold passwords.
_START: Final = (
    "import json, sys; sys.path[:], control, modules = json.loads(sys.argv[1]); "
    "from lexiclass_worker.sandbox.fork_server import main; main(control, modules)"
)

_NOT_STARTED: Final = "no process can be started for the work"

_END_S: Final = 1.0

# How a process has ended of which nobody can tell any more.
_UNKNOWN_EXIT: Final = 255


class SandboxUnavailable(TransientError):
    """No process could be started to do the work in: for lack of processes or memory."""


class ForkServer:
    """Starts the processes of the sandbox.

    It is started with the first, and anew when it was killed or ``sys.path`` has changed.

    It ends with this process, whatever ends that.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._path: Sequence[str] = ()
        self._modules = MODULES
        self._replaced: list[subprocess.Popen[bytes]] = []
        # After those of its children that wait for work have been told to end.
        Finalize(self, self._end, exitpriority=0)

    def start(self, modules: Collection[str] = ()) -> None:
        """Start the server, unless it runs, and wait until it has the libraries.

        Args:
            modules: What children shall find loaded beside what the jobs of this package need.

        Raises:
            SandboxUnavailable: If no process can be started.
            InternalError: If the libraries cannot be imported; the reason is in the log.
        """
        with self._lock:
            self._modules = (*MODULES, *sorted(modules))
            self._connect()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> "ForkedProcess":
        """Start a process.

        Args:
            request: Arguments for :func:`lexiclass_worker.sandbox.child.serve`, as JSON values.
            descriptors: Its channel, its notes and where it prints to.

        Raises:
            SandboxUnavailable: If no process can be started.
        """
        status, childs_status = os.pipe()
        childs_lifeline, lifeline = os.pipe()
        forked = ForkedProcess(status, lifeline)
        try:
            try:
                self._ask(
                    json.dumps(request).encode(),
                    [*descriptors, childs_lifeline, childs_status],
                )
            finally:
                os.close(childs_lifeline)
                os.close(childs_status)
            forked.wait_started()
        except BaseException:
            forked.close()
            raise
        return forked

    def _ask(self, request: bytes, descriptors: Sequence[int]) -> None:
        with self._lock:
            try:
                frames.send(self._connect(), request, descriptors)
            except (BrokenPipeError, ConnectionResetError):
                logger.warning("The fork server has ended, and is started anew")
                self._forget()
                frames.send(self._connect(), request, descriptors)

    def _end(self) -> None:
        """Let it end, which takes an instant where no child is left."""
        if self._control is not None and self._process is not None:
            self._control.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _connect(self) -> socket.socket:
        # What lies in the folder that the worker runs in is not imported.
        path = [entry for entry in sys.path if Path(entry).is_absolute()]
        if self._control is not None and path != self._path:
            # Modules are looked for elsewhere by now, as in a notebook; it ends with its children.
            self._control.close()
            self._control = None
        self._replaced = [process for process in self._replaced if process.poll() is None]
        if self._control is None:
            if self._process is not None:
                self._replaced.append(self._process)
            self._path = path
            self._control = self._launch(path)
        return self._control

    def _launch(self, path: Sequence[str]) -> socket.socket:
        ours, theirs = socket.socketpair()
        output = OutputPipe()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-I", *(["-B"] if sys.dont_write_bytecode else [])),
                        *("-c", _START, json.dumps([path, theirs.fileno(), self._modules])),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output.write_end,
                    stderr=output.write_end,
                    env=environment_of_children(),
                    pass_fds=(theirs.fileno(),),
                )
            is_ready = frames.receive(ours) is not None
        except OSError as error:
            ours.close()
            raise SandboxUnavailable(f"{_NOT_STARTED}: {cause_of(error)}") from error
        except BaseException:
            ours.close()
            raise
        finally:
            output.close()
        if not is_ready:
            ours.close()
            output.join(_END_S)
            raise InternalError("the libraries of the sandbox cannot be imported")
        return ours


class ForkedProcess:
    """A process that the fork server has started.

    Attributes:
        pid: Its process id, once it is known.
        sentinel: A descriptor that can be read once it has ended.
    """

    def __init__(self, status: int, lifeline: int) -> None:
        self.pid = 0
        self.sentinel = status
        self._lifeline = lifeline
        self._handle: int | None = None
        self._exit_code: int | None = None

    def wait_started(self) -> None:
        """Wait until the fork server has said which process it is.

        Raises:
            SandboxUnavailable: If there is none.
        """
        number = frames.read_number(self.sentinel)
        if number is None:
            raise SandboxUnavailable(f"{_NOT_STARTED}: the fork server has ended")
        if number < 0:
            raise SandboxUnavailable(f"{_NOT_STARTED}: {os.strerror(-number)}")
        self.pid = number
        self._handle = _open_handle(number)

    @property
    def exit_code(self) -> int | None:
        """How it has ended: its exit status, or minus a signal; None while it runs."""
        if self._exit_code is None and self._has_ended(timeout_s=0):
            status = frames.read_number(self.sentinel)
            self._exit_code = _UNKNOWN_EXIT if status is None else status
        return self._exit_code

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.exit_code is None

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until it has ended, or for so long."""
        if self._exit_code is None:
            self._has_ended(timeout_s)

    def kill(self) -> None:
        """Send SIGKILL to it and its group, if it has not ended.

        Once it has, others may have its number; what it left the fork server has killed.
        """
        is_there = self.is_alive if self._handle is None else not _is_readable(self._handle, 0)
        if is_there:
            # There is no group yet in one that has just begun.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it: what is left of it ends."""
        os.close(self.sentinel)
        os.close(self._lifeline)
        if self._handle is not None:
            os.close(self._handle)

    def _has_ended(self, timeout_s: float | None) -> bool:
        return _is_readable(self.sentinel, timeout_s)


def _open_handle(pid: int) -> int | None:
    """A descriptor that can be read once a process has ended; None where there are none.

    It tells so although the fork server is gone. https://man7.org/linux/man-pages/man2/pidfd_open.2.html
    """
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _is_readable(descriptor: int, timeout_s: float | None) -> bool:
    # Not select, which knows no descriptor above 1,023.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


FORK_SERVER: Final = ForkServer()
"""One for the process."""
