"""A real Redis and a real PostgreSQL for the demo, the tests and one-machine use.

The server programs come from wheels (the extra `embedded`) or from the machine. They run as direct
children of this process, listen on free ports of 127.0.0.1 only, need no root and no set-up, and
end with this process even if it is killed. Their data stay in a directory::

    with embedded_servers(Path(".standalone")) as servers:
        print(servers.broker_url, servers.database_uri)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lexiclass_worker.embedded.errors import (
    EmbeddedServerError,
    EmbeddedServerFailed,
    EmbeddedServerInUse,
    EmbeddedServerUnavailable,
)
from lexiclass_worker.embedded.postgres import EmbeddedPostgres
from lexiclass_worker.embedded.redis import EmbeddedRedis
from lexiclass_worker.embedded.server import EmbeddedServer

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedRedis",
    "EmbeddedServer",
    "EmbeddedServerError",
    "EmbeddedServerFailed",
    "EmbeddedServerInUse",
    "EmbeddedServerUnavailable",
    "EmbeddedServers",
    "embedded_servers",
]


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Where two running servers answer. The URLs hold passwords, so they're not in the repr."""

    broker_url: str = field(repr=False)
    database_uri: str = field(repr=False)
    each: tuple[EmbeddedServer, ...] = field(repr=False, compare=False)


@contextmanager
def embedded_servers(directory: Path, *, durable: bool = True) -> Iterator[EmbeddedServers]:
    """Run Redis and PostgreSQL over `directory` for the time of a `with` block.

    `directory` is made if it isn't there; rows and keys are found again at the next start. Without
    `durable` safety against a power cut is given up for speed; for tests.

    Raises:
        EmbeddedServerUnavailable: The machine has no such server.
        EmbeddedServerInUse: Another process runs servers over this directory.
        EmbeddedServerFailed: A server did not start.
        OSError: The directory can't be made or handed to the servers' account.
    """
    with (
        EmbeddedRedis(directory / "redis", durable=durable) as redis,
        EmbeddedPostgres(directory / "postgres", durable=durable) as postgres,
    ):
        yield EmbeddedServers(redis.broker_url, postgres.database_uri, (redis, postgres))
