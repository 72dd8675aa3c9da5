"""Whether what the worker needs is there: Redis, PostgreSQL, the storage, the machine's own."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import fsspec
from pydantic import SecretStr
from sqlalchemy import text

from lexiclass_core.db import create_engine
from lexiclass_worker import preflight
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.file_systems import make_folder, naming
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
        reason: Why not, or what it refuses though it can be used; without secrets.
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
    """Do something that raises if it fails; a text that it returns is told beside "ok"."""
    try:
        said = action()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        reason = str(error) if isinstance(error, ConfigurationError) else cause_of(error)
        return Check(name, ok=False, reason=Redactor(settings.secrets)(reason)[:_LONGEST_REASON])
    return Check(name, ok=True, reason=said if isinstance(said, str) else "")


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


def _touch(directory: Path) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=directory, prefix=f"{_TRACE}-"):
        return ""


def _touch_url(url: str) -> str:
    """Write and remove two objects; says what is refused that the worker does without."""
    # A library that is not installed raises ImportError, which says what to install.
    file_system, root = fsspec.core.url_to_fs(url)
    make_folder(file_system, root)
    # Of this process alone: others may look at the same moment.
    paths = [f"{root.rstrip('/')}/{_TRACE}-{os.getpid()}-{number}" for number in range(2)]
    with naming(url):
        for path in paths:
            file_system.pipe_file(path, b"")
    refusal = ""
    try:
        file_system.rm(paths)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
        refusal = (
            f"removing several objects by one request is refused ({cause_of(error)}): they are "
            "removed one by one"
        )
    file_system.invalidate_cache()
    with naming(url):
        for path in paths:
            if file_system.exists(path):
                # What is refused of one object in a list comes as a success.
                refusal = refusal or (
                    "removing several objects by one request (DeleteObjects) removes none: they "
                    "are removed one by one"
                )
                file_system.rm_file(path)
    return refusal
