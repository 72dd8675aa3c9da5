"""An embedded PostgreSQL: its own user, database and password, TCP on 127.0.0.1 only."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import asyncpg

from lexiclass_worker.embedded.account import Account, give, let_read, let_traverse
from lexiclass_worker.embedded.binaries import PostgresPrograms, find_postgres
from lexiclass_worker.embedded.own_files import write_private
from lexiclass_worker.embedded.process import run_to_end
from lexiclass_worker.embedded.server import EmbeddedServer, NotReadyError

_USER = "lexiclass"
_DATABASE = "lexiclass"
_CONNECT_TIMEOUT_S = 5.0
_INITDB_TIMEOUT_S = 120.0
_BUILTIN_LOCALE_SINCE = 17
# See https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
_ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL with a user and a database named `lexiclass`, over a directory.

    The user is a superuser of this server. Text is UTF-8 and sorts by code point; the time zone is
    UTC. No Unix socket is made: its path would often be longer than the 107 bytes allowed.
    """

    name: ClassVar[str] = "postgres"
    # Immediate shutdown: the write-ahead log makes the next start as safe as after a crash.
    death_signal: ClassVar[signal.Signals] = signal.SIGQUIT
    escalation: ClassVar[Sequence[tuple[signal.Signals, float]]] = (
        (signal.SIGINT, 20.0),  # fast shutdown: sessions are ended, a checkpoint is written
        (signal.SIGQUIT, 5.0),
    )

    _programs: PostgresPrograms

    @property
    def database_uri(self) -> str:
        """`postgresql+asyncpg://lexiclass:PASSWORD@127.0.0.1:PORT/lexiclass`.

        Raises:
            EmbeddedServerError: The server isn't started.
        """
        return f"postgresql+asyncpg://{_USER}:{self._password}@127.0.0.1:{self.port}/{_DATABASE}"

    @property
    def _access_path(self) -> Path:
        return self._directory / "pg_hba.conf"

    def _find_programs(self) -> None:
        self._programs = find_postgres()

    def _prepare(self, data: Path, account: Account | None) -> None:
        let_traverse(self._programs.postgres, account)
        let_read(self._programs.wheel_paths, account)
        if (data / "PG_VERSION").exists():
            _remove_stale_pid_file(data)
        else:
            self._initialize(data, account)
        # Whatever the data directory says: who may connect, and how, is written anew at each start.
        write_private(self._access_path, _ACCESS)
        give(self._access_path, account)

    def _initialize(self, data: Path, account: Account | None) -> None:
        # Aside, then renamed: a run killed in the middle leaves no half-made data directory.
        draft = data.with_name("data.new")
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        give(draft, account)
        # A copy, because only the account of the server may read this one.
        password_file = self._directory / "password.initdb"
        write_private(password_file, self._password)
        try:
            give(password_file, account)
            run_to_end(
                [
                    self._programs.initdb,
                    f"--pgdata={draft}",
                    f"--username={_USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    *_locale_options(self._programs.major),
                    *(() if self._durable else ("--no-sync",)),
                ],
                account=account,
                keep_open=(self._lock.fileno,),
                timeout_s=_INITDB_TIMEOUT_S,
            )
        finally:
            password_file.unlink()
        draft.replace(data)

    def _command(self, port: int, data: Path) -> list[str | Path]:
        settings = {
            "hba_file": str(self._access_path),
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [text for key, value in settings.items() for text in ("-c", f"{key}={value}")]
        return [self._programs.postgres, "-D", data, *options]

    def _check_ready(self, port: int) -> None:
        # In a thread of its own: the caller may be inside a running event loop.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, self._connect_once(port)).result()

    async def _connect_once(self, port: int) -> None:
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=port,
                user=_USER,
                password=self._password,
                database="postgres",
                ssl=False,
                timeout=_CONNECT_TIMEOUT_S,
            )
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise NotReadyError(str(error)) from error
        try:
            if not await connection.fetchval(
                "SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE
            ):
                await connection.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            await connection.close()


def _locale_options(major: int) -> tuple[str, ...]:
    if major >= _BUILTIN_LOCALE_SINCE:
        # Needs no locale of the system, and never changes its sort order with a libc update.
        return ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    return ("--locale=C.UTF-8" if sys.platform == "linux" else "--locale=en_US.UTF-8",)


def _remove_stale_pid_file(data: Path) -> None:
    """Remove what a killed server left, where its pid belongs to something else by now.

    PostgreSQL refuses to start while ANY process with that pid and its own user lives, which after
    the restart of a container is likely. We hold the directory's lock, so no server of ours lives;
    one that somebody started by hand is called postgres and keeps its file.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    command = Path(f"/proc/{pid_file.read_text().split(maxsplit=1)[0]}/comm")
    if command.exists() and command.read_text().strip() not in {"postgres", "postmaster"}:
        pid_file.unlink()
