"""An embedded Redis: append-only file, a password, nothing evicted."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from lexiclass_worker.embedded.account import Account, give, let_read, let_traverse
from lexiclass_worker.embedded.binaries import RedisProgram, find_redis
from lexiclass_worker.embedded.own_files import write_private
from lexiclass_worker.embedded.server import EmbeddedServer, NotReadyError

_CONNECT_TIMEOUT_S = 2.0


class EmbeddedRedis(EmbeddedServer):
    """A Redis for the message broker, over a directory.

    Keys survive a restart (append-only file, flushed every second) and are never evicted: a broker
    that drops messages when memory runs short would lose them silently.
    """

    name: ClassVar[str] = "redis-server"
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    escalation: ClassVar[Sequence[tuple[signal.Signals, float]]] = ((signal.SIGTERM, 10.0),)

    _program: RedisProgram

    @property
    def broker_url(self) -> str:
        """`redis://:PASSWORD@127.0.0.1:PORT/0`.

        Raises:
            EmbeddedServerError: The server isn't started.
        """
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def _settings_path(self) -> Path:
        return self._directory / "redis.conf"

    def _find_programs(self) -> None:
        self._program = find_redis()

    def _prepare(self, data: Path, account: Account | None) -> None:
        let_traverse(self._program.server, account)
        let_read(self._program.wheel_paths, account)
        data.mkdir(mode=0o700, exist_ok=True)
        give(data, account)
        # In a file because everybody on the machine can read a command line.
        write_private(self._settings_path, f"requirepass {self._password}\n")
        give(self._settings_path, account)

    def _command(self, port: int, data: Path) -> list[str | Path]:
        settings = {
            "port": str(port),
            "bind": "127.0.0.1",
            "protected-mode": "yes",
            "dir": str(data),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec" if self._durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        options = [text for key, value in settings.items() for text in (f"--{key}", value)]
        return [self._program.server, self._settings_path, *options]

    def _check_ready(self, port: int) -> None:
        client = Redis(
            host="127.0.0.1",
            port=port,
            password=self._password,
            socket_timeout=_CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            client.ping()
        except RedisError as error:
            raise NotReadyError(str(error)) from error
        finally:
            client.close()
