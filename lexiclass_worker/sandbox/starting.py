"""Starting children from the fork server, whatever becomes of its socket.

The standard library puts the socket into a folder below TMPDIR, whose path may be too long for one,
and from which cleaners of temporary files remove it; and then starts no process ever again.
"""

import os
import shutil
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

from loguru import logger

from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import TransientError
from lexiclass_worker.preflight import make_socket_folder

_changing: Final = Lock()

_folder: Path | None = None

# Its names are bound to its one server, of which it tells no more.
_module: Final[Any] = forkserver


class SandboxUnavailable(TransientError):
    """No process could be started to do the work in: for lack of processes, sockets or memory."""


def start(process: ForkServerProcess) -> None:
    """Start a process, from a new fork server if the socket of the one there is gone.

    Raises:
        SandboxUnavailable: If none can be started.
    """
    try:
        _provide_folder()
        server = _module._forkserver  # noqa: SLF001 - there is no other way to it
        try:
            process.start()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            _replace(server, error)
            process.start()
    except ConfigurationError as error:
        raise SandboxUnavailable(str(error)) from error
    except OSError as error:
        raise SandboxUnavailable(
            f"no process can be started for the work: {cause_of(error)}"
        ) from error


def _provide_folder() -> None:
    """See that the folder for the sockets is there: its path is short, and cleaners remove it."""
    global _folder  # noqa: PLW0603 - one for the process, as its fork server is
    with _changing:
        if _folder is None or not _folder.is_dir():
            _folder = make_socket_folder()
            Finalize(None, shutil.rmtree, args=(_folder, True), exitpriority=-100)
            # Where multiprocessing.util.get_temp_dir keeps the one it makes.
            _module.process.current_process()._config["tempdir"] = str(_folder)  # noqa: SLF001


def _replace(server: Any, error: OSError) -> None:
    """Have the next process started by a new server, unless another thread has seen to it."""
    with _changing:
        if _module._forkserver is not server:  # noqa: SLF001 - see above
            return
        logger.warning(
            "The fork server is started anew, for its socket is gone: {error}",
            error=cause_of(error),
        )
        new = _module.ForkServer()
        _module._forkserver = new  # noqa: SLF001 - as the module binds them itself
        _module.ensure_running = new.ensure_running
        _module.get_inherited_fds = new.get_inherited_fds
        _module.connect_to_new_process = new.connect_to_new_process
        _module.set_forkserver_preload = new.set_forkserver_preload
        new.set_forkserver_preload(server._preload_modules)  # noqa: SLF001 - the same libraries
    _let_go(server)


def _let_go(server: Any) -> None:
    """Let a server end with the last of its children, which hold the other ends of this pipe."""
    descriptor, pid = server._forkserver_alive_fd, server._forkserver_pid  # noqa: SLF001 - see above
    if descriptor is not None:
        os.close(descriptor)
    if pid is not None:
        Thread(target=_wait_for, args=(pid,), name="old-fork-server", daemon=True).start()


def _wait_for(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
