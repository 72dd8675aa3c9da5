"""The settings of a running ``lexiclass-worker standalone``, for the other commands in its folder.

It is locked by the process that runs the servers for as long as they run. The kernel lets go of the
lock however that process ends, which a process id in the file could not tell.
"""

import fcntl
import io
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

STANDALONE_FILE: Final = Path(".standalone.env")

# A command that reads the file locks it for a moment.
_READERS_TAKE_S: Final = 1.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class StandaloneFile:
    """What the file of a folder says.

    Attributes:
        is_running: Whether who wrote it runs.
        variables: Its settings; none if it does not run.
    """

    is_running: bool
    variables: Mapping[str, str]


def read_standalone_file(path: Path = STANDALONE_FILE) -> StandaloneFile | None:
    """What a file says; None if there is none, or another account may have written it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    with io.FileIO(descriptor) as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return None
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return StandaloneFile(is_running=False, variables={})
        found = dotenv_values(
            stream=io.StringIO(file.readall().decode(errors="replace")), interpolate=False
        )
        known = {name: value for name, value in found.items() if value is not None}
        return StandaloneFile(is_running=True, variables=known)


@contextmanager
def standalone_file(variables: Mapping[str, str], *, path: Path = STANDALONE_FILE) -> Iterator[str]:
    """Write settings down for the time of a ``with`` block, for the owner's eyes only.

    Yields:
        Why they could not be written; an empty text if they are. Nothing else depends on it.
    """
    try:
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode=0o600
        )
    except OSError as error:
        yield f"{path}: {error.strerror}"
        return
    try:
        if not _locked_soon(descriptor):
            yield f"{path} has those of another one that runs in this folder"
            return
        os.fchmod(descriptor, 0o600)
        _write(descriptor, _HEADER + "".join(map(_line, variables.items())))
        try:
            yield ""
        finally:
            _write(descriptor, _NOTE)
    finally:
        os.close(descriptor)


_HEADER: Final = """\
# Settings of `lexiclass-worker standalone`, which runs: commands in this folder use them unless
# DATABASE_URI is set.
"""
_NOTE: Final = "# `lexiclass-worker standalone` had its settings here while it ran.\n"


def _line(variable: tuple[str, str]) -> str:
    name, value = variable
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{quoted}'\n"


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _locked_soon(descriptor: int) -> bool:
    deadline = time.monotonic() + _READERS_TAKE_S
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock if nobody else has it; whether it is taken."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
