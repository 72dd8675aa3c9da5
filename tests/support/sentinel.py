"""Two real Redis, master and replica, and a Sentinel that puts one in the other's place."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis, RedisError

from lexiclass_worker.embedded.binaries import find_redis
from lexiclass_worker.embedded.process import free_port
from tests.support.workers import wait_until

SERVICE = "lexi"
_PASSWORD = "s3cret/of#redis"
_SENTINEL_PASSWORD = "another@one"


@dataclass(slots=True)
class Watched:
    """A service that a Sentinel watches.

    Attributes:
        url: For the workers; the first Sentinel that it names is not there.
        passwords: What nobody may show.
    """

    url: str
    ports: list[int]
    sentinel: int
    passwords: tuple[str, ...] = (_PASSWORD, _SENTINEL_PASSWORD)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def master(self) -> Redis:
        """A connection to whoever is the master by the Sentinel."""
        with Redis(port=self.sentinel, password=_SENTINEL_PASSWORD) as sentinel:
            _, port = sentinel.sentinel_get_master_addr_by_name(SERVICE)
        return _redis(int(port))

    def kill_master(self) -> None:
        """Kill it, and wait until the other one has its place."""
        self.processes[0].kill()
        self.processes[0].wait()
        wait_until(self._is_moved, timeout_s=60)

    def _is_moved(self) -> bool:
        with suppress(RedisError), self.master() as master:
            return bool(master.info("replication")["role"] == "master")
        return False


def _redis(port: int) -> Redis:
    return Redis(port=port, password=_PASSWORD, socket_timeout=5)


@contextmanager
def watched_redis(directory: Path) -> Iterator[Watched]:
    """The three servers for the time of a ``with`` block."""
    master, replica, sentinel = free_port(), free_port(), free_port()
    login = f"requirepass {_PASSWORD}\nmasterauth {_PASSWORD}\nappendonly yes\nappendfsync no\n"
    watched = Watched(
        f"redis+sentinel://:s3cret%2Fof%23redis@127.0.0.1:{free_port()},127.0.0.1:{sentinel}"
        f"/{SERVICE}/0?sentinel_password=another%40one",
        [master, replica],
        sentinel,
    )
    settings = {
        master: login,
        replica: f"{login}replicaof 127.0.0.1 {master}\n",
        sentinel: f"requirepass {_SENTINEL_PASSWORD}\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {master} 1\n"
        f"sentinel auth-pass {SERVICE} {_PASSWORD}\n"
        f"sentinel down-after-milliseconds {SERVICE} 1000\n"
        f"sentinel failover-timeout {SERVICE} 4000\n",
    }
    with ExitStack() as stack:
        for port, text in settings.items():
            folder = directory / str(port)
            folder.mkdir(parents=True)
            configuration = folder / "redis.conf"
            configuration.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{text}")
            command: list[Path | str] = [find_redis().server, configuration]
            if port == sentinel:
                wait_until(lambda: _is_in_step(replica), timeout_s=30)
                command.append("--sentinel")
            process = stack.enter_context(serving(command, port, folder / "log"))
            watched.processes.append(process)
        wait_until(lambda: _knows_replica(sentinel), timeout_s=30)
        yield watched


@contextmanager
def serving(command: list[Path | str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server for the time of a ``with`` block, from the moment when it listens."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: _listens(port), timeout_s=30)
        yield process
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _is_in_step(replica: int) -> bool:
    with _redis(replica) as client:
        return bool(client.info("replication")["master_link_status"] == "up")


def _knows_replica(sentinel: int) -> bool:
    with Redis(port=sentinel, password=_SENTINEL_PASSWORD) as client:
        return len(client.sentinel_slaves(SERVICE)) == 1
