"""What a worker needs of its machine: temporary files, sockets, shared memory.

Each function refuses with one line that says what is missing and what to set. They are asked
before workers start, by ``lexiclass-worker check`` and by /readyz.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lexiclass_worker.causes import cause_of, os_error_text
from lexiclass_worker.config import ConfigurationError

# Where POSIX semaphores are: https://man7.org/linux/man-pages/man7/sem_overview.7.html
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - nothing is read from there

# Dramatiq makes six semaphores for each process, of a page each, and some more.
_SHARED_MEMORY_BYTES: Final = 128 * 1024

# sun_path holds 108 bytes on Linux, 104 on macOS and the BSDs, of which the last is 0.
_LONGEST_ADDRESS: Final = 107 if sys.platform == "linux" else 103

# /lexi-12345678/listener-12345678, as tempfile makes names.
_BELOW_FOLDER: Final = len("/lexi-") + 8 + len("/listener-") + 8

LONGEST_SOCKET_FOLDER: Final = _LONGEST_ADDRESS - _BELOW_FOLDER
"""Bytes that the path of a folder for the fork server's sockets may take."""


def require_all() -> None:
    """Look for everything.

    Raises:
        ConfigurationError: If something is missing.
    """
    require_temporary_folder()
    require_shared_memory()
    make_socket_folder().rmdir()


def require_temporary_folder() -> Path:
    """A folder in which files can be written.

    Raises:
        ConfigurationError: If there is none.
    """
    try:
        folder = Path(tempfile.gettempdir())
        with tempfile.NamedTemporaryFile(prefix="lexi-", dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise ConfigurationError(
            f"no folder for temporary files can be written: set TMPDIR ({os_error_text(error)})"
        ) from None
    return folder


def require_shared_memory() -> None:
    """Semaphores, which Linux keeps in /dev/shm.

    Raises:
        ConfigurationError: If none can be made, or there is no room for those of a worker.
    """
    try:
        # One that is unlinked as soon as it is made.
        multiprocessing.get_context("fork").Lock()
        if sys.platform != "linux":
            return
        status = os.statvfs(_SHARED_MEMORY)
    except (OSError, ImportError) as error:
        raise ConfigurationError(
            f"{_SHARED_MEMORY} cannot be used ({_words(error)}): workers need it to be mounted and "
            "writable; for a container: docker run --shm-size=64m"
        ) from None
    free = status.f_bavail * status.f_frsize
    # A size of 0 stands for no limit but the memory.
    if status.f_blocks and free < _SHARED_MEMORY_BYTES:
        raise ConfigurationError(
            f"{_SHARED_MEMORY} is full: {free // 1024} KiB of "
            f"{status.f_blocks * status.f_frsize // 1024} KiB are free, and workers need "
            f"{_SHARED_MEMORY_BYTES // 1024} KiB; for a container: docker run --shm-size=64m"
        )


def make_socket_folder() -> Path:
    """A new folder, closed to others, whose path leaves room for a socket's name.

    It is in the temporary folder, or in another one where that has too long a path.

    Raises:
        ConfigurationError: If none can be made.
    """
    reasons = []
    for parent in _socket_parents():
        length = len(os.fsencode(parent))
        if length > LONGEST_SOCKET_FOLDER:
            reasons.append(f"{parent} has {length} characters")
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="lexi-", dir=parent))
        except OSError as error:
            reasons.append(cause_of(error))
    raise ConfigurationError(
        f"no folder can hold a socket: set TMPDIR to a folder that can be written and has a path "
        f"of at most {LONGEST_SOCKET_FOLDER} characters ({'; '.join(reasons)})"
    )


def _socket_parents() -> Iterator[Path]:
    try:
        yield Path(tempfile.gettempdir())
    except FileNotFoundError:
        return  # then nothing else works either
    yield Path("/tmp")  # noqa: S108 - mkdtemp makes a folder that is closed to others
    yield Path("/var/tmp")  # noqa: S108 - see above
    yield Path(f"/run/user/{os.geteuid()}")
    yield _SHARED_MEMORY


def _words(error: Exception) -> str:
    return os_error_text(error) if isinstance(error, OSError) else str(error)
