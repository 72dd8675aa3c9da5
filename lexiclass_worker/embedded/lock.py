"""One owner per server directory."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lexiclass_worker.embedded.errors import EmbeddedServerInUse

_POLL_S = 0.05
# How long the servers of an owner that was killed may take to follow it.
_ORPHANS_END_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who uses a directory, as its lock file tells.

    Attributes:
        owner_pid: The process that started the server; None once it stopped it.
        server_pid: The server, once it runs.
        port: Where the server listens, or listened last.
    """

    owner_pid: int | None
    server_pid: int | None = None
    port: int | None = None


class DirectoryLock:
    """Two locks on a directory: `owner` is this process's, `lock` it shares with its server.

    The server inherits the second one, so the kernel lets it go only when every process of the
    server is gone. A pid file can't tell that: pids are used again, and a zombie has one too.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._owner_file = -1
        self.fileno = -1
        """The descriptor the server is to inherit."""

    def acquire(self) -> Holder | None:
        """Take both locks; wait shortly for the servers of an owner that was killed.

        The last holder is returned, None in a new directory.

        Raises:
            EmbeddedServerInUse: A live process holds the directory, or servers outlived theirs.
            OSError: A lock file can't be opened.
        """
        self._owner_file = _open(self._directory / "owner")
        self.fileno = _open(self._directory / "lock")
        if not _lock(self._owner_file):
            holder = self._read()
            self.release()
            raise EmbeddedServerInUse(_refusal(self._directory, holder))
        deadline = time.monotonic() + _ORPHANS_END_WITHIN_S
        while not _lock(self.fileno):
            if time.monotonic() > deadline:
                holder = self._read()
                self.release()
                raise EmbeddedServerInUse(
                    _refusal(self._directory, holder) + "; its owner is gone, the server isn't"
                )
            time.sleep(_POLL_S)
        previous = self._read()
        self.write(Holder(os.getpid(), None, previous.port if previous else None))
        return previous

    def write(self, holder: Holder) -> None:
        """Note who holds the lock, for the message others get."""
        text = json.dumps(asdict(holder)).encode()
        os.ftruncate(self.fileno, 0)
        os.pwrite(self.fileno, text, 0)

    def release(self) -> None:
        """Let go of our share of the locks; doing it twice does no harm."""
        for file in (self.fileno, self._owner_file):
            if file >= 0:
                os.close(file)
        self.fileno = self._owner_file = -1

    def _read(self) -> Holder | None:
        text = os.pread(self.fileno, 4096, 0)
        try:
            return Holder(**json.loads(text))
        except (ValueError, TypeError):
            return None  # a new file, or one being written: there's nothing to tell yet


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(directory: Path, holder: Holder | None) -> str:
    if holder is None or holder.owner_pid is None:
        user = "another process"
    elif holder.server_pid is None:
        user = f"process {holder.owner_pid}, which is starting a server"
    else:
        user = f"process {holder.owner_pid} (server pid {holder.server_pid}, port {holder.port})"
    return f"{directory} is in use by {user}: stop it, or choose another directory"
