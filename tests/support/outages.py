"""Servers and disks that are of no use for the time of a ``with`` block."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import redis

from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from tests.support.chaos import start_again
from tests.support.disks import leave_free, remounted
from tests.support.workers import wait_until


@contextmanager
def stopped(server: EmbeddedRedis | EmbeddedPostgres) -> Iterator[None]:
    """Stop a server, which keeps its data."""
    server.stop()
    try:
        yield
    finally:
        start_again(server)


@contextmanager
def full_redis(server: EmbeddedRedis) -> Iterator[None]:
    """Let it refuse what takes memory."""
    with redis.Redis.from_url(server.broker_url) as client:
        client.config_set("maxmemory", "1mb")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def read_only_postgresql(server: EmbeddedPostgres) -> Iterator[None]:
    """Let it refuse what writes, on connections that are made anew."""

    async def execute(value: str) -> None:
        uri = server.database_uri.replace("+asyncpg", "")
        connection = await asyncpg.connect(uri)
        await connection.execute("SET default_transaction_read_only = off")
        database = await connection.fetchval("SELECT current_database()")
        statement = f"ALTER DATABASE {database} SET default_transaction_read_only = {value}"
        await connection.execute(statement)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()

    asyncio.run(execute("on"))
    try:
        yield
    finally:
        asyncio.run(execute("off"))


@contextmanager
def full_disk(disk: Path) -> Iterator[None]:
    """Take all that is free."""
    ballast = leave_free(disk, 0)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only_disk(disk: Path) -> Iterator[None]:
    """Mount it for reading, as soon as nobody writes."""
    wait_until(lambda: remounted(disk, "ro"))
    try:
        yield
    finally:
        assert remounted(disk, "rw")
