"""Whether what the worker needs is there: Redis, PostgreSQL, the storage, the machine's own."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import SecretStr
from sqlalchemy import text

from lexiclass_core.db import create_engine
from lexiclass_worker import preflight
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.telemetry.queues import connect
from lexiclass_worker.telemetry.redaction import Redactor

_TIMEOUT_S: Final = 2.0
_LONGEST_REASON: Final = 500
_TRACE: Final = ".lexiclass-check"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: What was checked.
        ok: Whether it can be used.
        reason: Why not, without secrets; empty when it can.
    """

    name: str
    ok: bool
    reason: str = ""


def check_redis(settings: Settings) -> Check:
    """Whether the broker, and the result backend if it is another, answer."""
    urls = {settings.dramatiq.broker_url, settings.dramatiq.result_backend}
    return _check("redis", settings, lambda: _ping_redis(*filter(None, urls)))


def check_postgresql(settings: Settings) -> Check:
    """Whether PostgreSQL runs a statement."""
    return _check(
        "postgresql",
        settings,
        lambda: asyncio.run(_ping_postgresql(settings.require_database_uri())),
    )


def check_storage(settings: Settings) -> Check:
    """Whether a file can be written under STORAGE__BASE_PATH, which is made if it is not there."""
    base = settings.storage.base_path
    return _check(
        "storage", settings, lambda: _touch_url(base) if "://" in base else _touch(Path(base))
    )


def check_temporary_files(settings: Settings) -> Check:
    """Whether this process can write temporary files, and has a place for sockets."""

    def look() -> None:
        preflight.require_temporary_folder()
        preflight.make_socket_folder().rmdir()

    return _check("temporary files", settings, look)


def check_shared_memory(settings: Settings) -> Check:
    """Whether processes can share semaphores: on Linux, whether there is room in /dev/shm."""
    return _check("shared memory", settings, preflight.require_shared_memory)


CHECKS: Final[dict[str, Callable[[Settings], Check]]] = {
    "redis": check_redis,
    "postgresql": check_postgresql,
    "storage": check_storage,
    "temporary files": check_temporary_files,
    "shared memory": check_shared_memory,
}
"""Every check. Each takes about 2 seconds at most, except that a file system may hang."""


def check_all(settings: Settings) -> list[Check]:
    """Every check, one after the other."""
    return [check(settings) for check in CHECKS.values()]


def _check(name: str, settings: Settings, action: Callable[[], object]) -> Check:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        reason = str(error) if isinstance(error, ConfigurationError) else cause_of(error)
        return Check(name, ok=False, reason=Redactor(settings.secrets)(reason)[:_LONGEST_REASON])
    return Check(name, ok=True)


def _ping_redis(*urls: SecretStr) -> None:
    for url in urls:
        with connect(url.get_secret_value()) as client:
            client.ping()


async def _ping_postgresql(database_uri: str) -> None:
    engine = create_engine(
        database_uri,
        pool_size=1,
        application_name="lexiclass-health",
        command_timeout_s=_TIMEOUT_S,
        connect_timeout_s=_TIMEOUT_S,
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    finally:
        await engine.dispose()


def _touch(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=directory, prefix=f"{_TRACE}-"):
        pass


def _touch_url(url: str) -> None:
    # A library that is not installed raises ImportError, which says what to install.
    file_system, root = fsspec.core.url_to_fs(url)
    path = f"{root.rstrip('/')}/{_TRACE}"
    if isinstance(file_system, LocalFileSystem):
        # Only there: an object store needs no folders, and asked for one it may make a bucket.
        file_system.makedirs(root, exist_ok=True)
    file_system.pipe_file(path, b"")
    file_system.rm_file(path)
