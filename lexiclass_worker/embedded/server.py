"""What the two servers have in common: the order of starting and stopping."""

import os
import secrets
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from loguru import logger

from lexiclass_worker.embedded.account import Account, account_for, let_traverse
from lexiclass_worker.embedded.errors import EmbeddedServerError, EmbeddedServerFailed
from lexiclass_worker.embedded.lock import DirectoryLock, Holder
from lexiclass_worker.embedded.own_files import close_to_others, make_private, write_private
from lexiclass_worker.embedded.process import ServerProcess, free_port, is_port_free, log_tail

_READY_POLL_S = 0.02
_PORT_TRIES = 5


class NotReadyError(Exception):
    """The server doesn't take connections yet."""


class EmbeddedServer(ABC):
    """A server over a directory; a context manager.

    The directory holds the lock, the log, the password and `data`, which alone belongs to the
    account of the server. Starting again on it finds the same data.

    Args:
        durable: False gives up safety against a power cut for speed; for tests.
        ready_timeout_s: Seconds the server may take until it answers.
    """

    name: ClassVar[str]
    death_signal: ClassVar[signal.Signals]
    escalation: ClassVar[Sequence[tuple[signal.Signals, float]]]

    def __init__(
        self, directory: Path, *, durable: bool = True, ready_timeout_s: float = 60.0
    ) -> None:
        self._directory = directory.resolve()
        self._durable = durable
        self._ready_timeout_s = ready_timeout_s
        self._lock = DirectoryLock(self._directory)
        self._process: ServerProcess | None = None
        self._port = 0
        self._password = ""

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1; the one used last is taken again where it is free."""
        if self._process is None:
            raise EmbeddedServerError(f"{self.name} over {self._directory} isn't started")
        return self._port

    @property
    def pid(self) -> int | None:
        """Process id of the server; None unless it runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._process is not None and self._process.is_running

    @property
    def log_path(self) -> Path:
        """The log of the current run; that of the run before lies beside it as *.previous."""
        return self._directory / f"{self.name}.log"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedServerUnavailable: The machine has no such server.
            EmbeddedServerInUse: Another process serves this directory.
            EmbeddedServerFailed: It ended or did not answer; the message holds its log's tail.
            EmbeddedServerFailed: And if the directory is of another account.
        OSError: The directory can't be made or handed to the account.
        """
        if self._process is not None:
            raise EmbeddedServerError(f"{self.name} over {self._directory} is started already")
        self._find_programs()
        close_to_others(self._directory)
        previous = self._lock.acquire()
        try:
            self._start_locked(previous.port if previous else None)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server in order, or by force if it doesn't follow; twice does no harm."""
        if self._process is not None:
            self._process.stop(self.escalation)
            self._process = None
            self._lock.write(Holder(owner_pid=None, port=self._port))
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_locked(self, previous_port: int | None) -> None:
        began = time.monotonic()
        data = self._directory / "data"
        account = account_for(data)
        let_traverse(data, account)
        self._password = self._kept_password()
        self._prepare(data, account)
        for port in _ports_to_try(previous_port):
            if self._try_port(port, data, account):
                logger.debug(
                    "{} runs on port {} after {:.2f} s",
                    self.name,
                    port,
                    time.monotonic() - began,
                )
                return
        raise EmbeddedServerFailed(
            f"{self.name} found no free port in {_PORT_TRIES} tries; its log ends with:\n"
            f"{log_tail(self.log_path)}"
        )

    def _try_port(self, port: int, data: Path, account: Account | None) -> bool:
        """Whether the server came up on `port`; False if somebody took the port before it."""
        with suppress(FileNotFoundError):
            self.log_path.replace(self.log_path.with_name(f"{self.log_path.name}.previous"))
        with make_private(self.log_path) as log:
            process = ServerProcess(
                self._command(port, data),
                log=log,
                account=account,
                death_signal=self.death_signal,
                keep_open=(self._lock.fileno,),
            )
        self._process, self._port = process, port
        self._lock.write(Holder(owner_pid=os.getpid(), server_pid=process.pid, port=port))
        deadline = time.monotonic() + self._ready_timeout_s
        while process.is_running:
            try:
                self._check_ready(port)
            except NotReadyError as error:
                if time.monotonic() > deadline:
                    raise EmbeddedServerFailed(
                        f"{self.name} did not answer within {self._ready_timeout_s:g} s "
                        f"({error}); its log ends with:\n{log_tail(self.log_path)}"
                    ) from error
                time.sleep(_READY_POLL_S)
            else:
                return True
        self._process = None
        tail = log_tail(self.log_path)
        if "already in use" in tail:
            return False
        raise EmbeddedServerFailed(
            f"{self.name} ended with {process.returncode} instead of starting; its log ends "
            f"with:\n{tail}"
        )

    def _kept_password(self) -> str:
        """The password of this directory, made at the first start."""
        path = self._directory / "password"
        if not path.exists():
            write_private(path, secrets.token_hex(16))
        return path.read_text()

    @abstractmethod
    def _find_programs(self) -> None:
        """Locate the programs; raises EmbeddedServerUnavailable."""

    @abstractmethod
    def _prepare(self, data: Path, account: Account | None) -> None:
        """Make `data` and whatever else must be there before the server starts."""

    @abstractmethod
    def _command(self, port: int, data: Path) -> list[str | Path]:
        """The server's command line."""

    @abstractmethod
    def _check_ready(self, port: int) -> None:
        """Connect as a client would; raises NotReadyError."""


def _ports_to_try(previous: int | None) -> Iterator[int]:
    if previous is not None and is_port_free(previous):
        yield previous
    for _ in range(_PORT_TRIES):
        yield free_port()
