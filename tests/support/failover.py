"""A PostgreSQL with a streaming standby, and an address that leads to the one or the other."""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from lexiclass_worker.embedded import EmbeddedPostgres
from lexiclass_worker.embedded.binaries import find_postgres
from lexiclass_worker.embedded.process import free_port
from tests.support.database import Database
from tests.support.workers import wait_until


class Address:
    """A port of this machine that leads to a port which can be changed, for new connections."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no further connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary, its standby, and how clients come to the one that serves.

    Attributes:
        uri: What clients use.
    """

    primary_uri: str
    standby_uri: str
    uri: str
    address: Address

    def demote(self) -> None:
        """Let the primary refuse writes, which it goes on doing, and the standby catch up."""
        with Database(self.primary_uri) as primary, Database(self.standby_uri) as standby:
            # Outside a transaction, which ALTER SYSTEM must be.
            asyncio.run(
                _execute(self.primary_uri, "ALTER SYSTEM SET default_transaction_read_only = on")
            )
            primary.execute("SELECT pg_reload_conf()")
            at = primary.value("SELECT pg_current_wal_lsn()::text")
            wait_until(
                lambda: standby.value(
                    "SELECT pg_last_wal_replay_lsn() >= CAST(CAST(:at AS text) AS pg_lsn)", at=at
                )
            )

    def promote(self) -> None:
        """Make the standby the primary, and lead to it who connects from now on."""
        with Database(self.standby_uri) as standby:
            assert standby.value("SELECT pg_promote()")
        self.address.target = make_url(self.standby_uri).port or 0


@contextmanager
def running_pair(directory: Path) -> Iterator[Pair]:
    """The two of them for the time of a ``with`` block; the primary's database is empty."""
    with EmbeddedPostgres(directory / "primary", durable=False) as primary:
        url = make_url(primary.database_uri)
        data = directory / "standby"
        owner = (directory / "primary" / "data").stat()
        account: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        if os.geteuid() != 0:
            account = {}
        data.mkdir(mode=0o700)
        os.chown(data, owner.st_uid, owner.st_gid)
        with (directory / "primary" / "pg_hba.conf").open("a") as access:
            access.write("host replication all 127.0.0.1/32 scram-sha-256\n")
        with Database(primary.database_uri) as served:
            served.execute("SELECT pg_reload_conf()")
        postgres = find_postgres().postgres
        source = f"postgresql://{url.username}:{url.password}@127.0.0.1:{url.port}/"
        subprocess.run(
            [postgres.with_name("pg_basebackup"), "-d", source, "-D", data, "-R", "-c", "fast"],
            check=True,
            **account,
        )
        port = free_port()
        options = ("-c", f"port={port}", "-c", "fsync=off")
        with (directory / "standby.log").open("wb") as log:
            standby = subprocess.Popen(
                [postgres, "-D", data, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                **account,
            )
        address = Address(url.port or 0)
        try:
            wait_until(lambda: _accepts(port))
            yield Pair(
                primary_uri=primary.database_uri,
                standby_uri=url.set(port=port).render_as_string(hide_password=False),
                uri=url.set(port=address.port).render_as_string(hide_password=False),
                address=address,
            )
        finally:
            address.close()
            standby.terminate()
            standby.wait()


async def _execute(uri: str, statement: str) -> None:
    connection = await asyncpg.connect(uri.replace("+asyncpg", ""))
    await connection.execute(statement)
    await connection.close()


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
