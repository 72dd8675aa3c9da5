"""What a worker needs of its machine: temporary files, shared memory.

Each function refuses with one line that says what is missing and what to set. They are asked
before workers start, by ``lexiclass-worker check`` and by /readyz.
"""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from lexiclass.containment import protection
from lexiclass_worker.causes import os_error_text
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.setting_groups import SandboxSettings

# Where POSIX semaphores are: https://man7.org/linux/man-pages/man7/sem_overview.7.html
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - nothing is read from there

# Dramatiq makes six semaphores for each process, of a page each, and some more.
_SHARED_MEMORY_BYTES: Final = 128 * 1024


def require_all(settings: Settings) -> None:
    """Look for everything.

    Raises:
        ConfigurationError: If something is missing.
    """
    require_containment(settings.sandbox)
    require_temporary_folder()
    require_shared_memory()


def require_containment(settings: SandboxSettings) -> str:
    """What is in force in the processes that read documents and models, in words.

    Raises:
        ConfigurationError: If SANDBOX__CONTAINMENT requires what this kernel does not offer.
    """
    offered = protection()
    if settings.containment == "off":
        return "no containment, for SANDBOX__CONTAINMENT is off"
    if settings.containment == "required" and not offered.is_enough:
        raise ConfigurationError(
            f"SANDBOX__CONTAINMENT is required, and {offered.missing}; auto does without"
        )
    return str(offered)


def gaps_of_containment(settings: SandboxSettings) -> str:
    """What could be in force there and is not; empty if nothing is missing."""
    if settings.containment == "off":
        return "documents and models are read without containment: SANDBOX__CONTAINMENT is off"
    return protection().missing


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


def _words(error: Exception) -> str:
    return os_error_text(error) if isinstance(error, OSError) else str(error)
