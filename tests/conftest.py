"""Servers and databases: real ones, started by whichever test needs them first.

A missing server is an error, never a skip. Each pytest process has servers of its own; each test
has a migrated, empty database and an empty Redis of its own.
"""

import asyncio
import functools
import gc
import logging
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
import redis
from loguru import logger
from loguru._better_exceptions import ExceptionFormatter
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from lexiclass_core.db import SessionFactory, create_engine, create_session_factory
from lexiclass_worker.config import Settings
from lexiclass_worker.embedded import EmbeddedServers, embedded_servers
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.setting_groups import DramatiqSettings, MetricsSettings, StorageSettings
from tests.support.databases import Databases, migrate
from tests.support.house import House, open_house
from tests.support.measuring import Measured, Took, print_measured
from tests.support.object_store import ObjectStore, running_object_store, variables
from tests.support.variants import FULL_EXAMPLES, mark_variants

TEMPLATE = "lexiclass_template"

# A shell has what it runs in the background ignore interrupts, and so would all that tests start
# and interrupt. Whoever ends a run ends it in order: workers are in sessions of their own, and with
# Prometheus and disks that are mounted they would stay.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
    signal.signal(signal.SIGHUP, signal.default_int_handler)

# How long an example takes says more of the machine than of the code. `make test-all` takes the
# full profile, `make coverage` the thorough one.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=10)
hypothesis.settings.register_profile("full", deadline=None, max_examples=FULL_EXAMPLES)
hypothesis.settings.register_profile("thorough", deadline=None)
hypothesis.settings.load_profile("quick")


# Where Python's folders are is found anew for each handler that is added, which takes longer than
# most commands that are run in this process.
_lib_dirs = functools.cache(ExceptionFormatter._get_lib_dirs)
ExceptionFormatter._get_lib_dirs = staticmethod(_lib_dirs)  # type: ignore[method-assign]


def _to_standard_error(line: str) -> None:
    # Each test has another one: pytest closes that of the test before.
    sys.stderr.write(line)


def _log_to_standard_error() -> None:
    logger.remove()
    logger.add(_to_standard_error)


_log_to_standard_error()

_LOGGING_HOOKS = (
    (sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"),
    (warnings, "showwarning"),
)  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, nor look through them for it while they run.

    Thousands of tests and the libraries stay to the end: to look through them again and again
    takes half of the time of their collection.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` says which are run."""
    mark_variants(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests have measured."""
    print_measured(terminalreporter)


@pytest.fixture
def took(record_property: Callable[[str, object], None]) -> Took:
    """Notes how many seconds something took, for the table at the end of the run."""
    return lambda what, seconds: record_property("took", (what, seconds))


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measured:
    """Notes a line for the end of the run, printed too: of a failure it is in the report."""

    def note(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        record_property("measured", line)

    return note


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test sets up for the lines of its process is not there for the tests after it."""
    for module, name in _LOGGING_HOOKS:
        monkeypatch.setattr(module, name, getattr(module, name))
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    loguru_handlers = logger._core.handlers  # type: ignore[attr-defined]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    # Each change makes another table of them. To add one takes longer than most tests.
    if logger._core.handlers is not loguru_handlers:  # type: ignore[attr-defined]
        _log_to_standard_error()


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """A Redis and a PostgreSQL for this pytest process.

    Not in pytest's own folder: each new run closes that to other accounts, and PostgreSQL runs
    under one when the tests run as root.
    """
    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-servers-") as directory,
        embedded_servers(Path(directory), durable=False) as running,
    ):
        asyncio.run(_let_log_in_cheaply(running.database_uri))
        yield running


@pytest.fixture(scope="session")
def template_database(servers: EmbeddedServers) -> str:
    """Name of a migrated database without connections, to be cloned."""

    async def make() -> None:
        await _administer(servers.database_uri, f"CREATE DATABASE {TEMPLATE}")
        await migrate(_uri_of(servers.database_uri, TEMPLATE))

    asyncio.run(make())
    return TEMPLATE


@pytest.fixture(scope="session", autouse=True)
def object_store_port() -> int:
    """Where an object store listens if a test needs one: told before a sandbox is started."""
    port = free_port()
    os.environ.update(variables(port))
    return port


@pytest.fixture(scope="session")
def object_store(
    object_store_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObjectStore]:
    """An S3 server for this pytest process."""
    with running_object_store(object_store_port, tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="session")
def databases(servers: EmbeddedServers, template_database: str) -> Iterator[Databases]:
    """Where tests have their databases from."""
    with closing(Databases(servers.database_uri, template_database)) as databases:
        yield databases


@pytest.fixture
def database_uri(databases: Databases) -> Iterator[str]:
    """A migrated, empty database of this test."""
    with databases.lent() as uri:
        yield uri


@pytest.fixture
def broker_url(servers: EmbeddedServers) -> str:
    """A Redis without keys. It is this pytest process' own, so flushing it harms nobody."""
    with redis.Redis.from_url(servers.broker_url) as client:
        client.flushall()
    return servers.broker_url


@pytest.fixture
def storage_path(tmp_path: Path) -> Path:
    """An empty storage."""
    return tmp_path / "storage"


@pytest.fixture
def settings(database_uri: str, broker_url: str, storage_path: Path) -> Settings:
    """Settings on the servers of this test."""
    return Settings(
        database_uri=SecretStr(database_uri),
        dramatiq=DramatiqSettings(broker_url=SecretStr(broker_url)),
        storage=StorageSettings(
            base_path=str(storage_path), cache_directory=storage_path.with_name("cache")
        ),
        metrics=MetricsSettings(port=free_port()),
    )


@pytest.fixture
def environment(database_uri: str, broker_url: str, storage_path: Path) -> dict[str, str]:
    """The same settings as environment variables, for subprocesses."""
    return {
        "DATABASE_URI": database_uri,
        "DRAMATIQ__BROKER_URL": broker_url,
        "STORAGE__BASE_PATH": str(storage_path),
    }


@pytest.fixture
def own_house(database_uri: str, broker_url: str, tmp_path: Path) -> Iterator[House]:
    """A database, a storage and a namespace of this test's own, without a worker."""
    with open_house(database_uri, broker_url, tmp_path) as house:
        yield house


@pytest.fixture
async def sessions(database_uri: str) -> AsyncIterator[SessionFactory]:
    """Sessions on the database of this test."""
    engine = create_engine(database_uri)
    yield create_session_factory(engine)
    await engine.dispose()


async def _let_log_in_cheaply(database_uri: str) -> None:
    """Have the password hashed once rather than 4,096 times: each test logs in several times."""
    engine = create_async_engine(database_uri)
    async with engine.begin() as connection:
        # PostgreSQL 16 and newer have it.
        await connection.execute(
            text(
                "SELECT set_config('scram_iterations', '1', true) FROM pg_settings "
                "WHERE name = 'scram_iterations'"
            )
        )
        password = make_url(database_uri).password
        await connection.execute(text(f"ALTER ROLE lexiclass PASSWORD '{password}'"))
    await engine.dispose()


def _uri_of(database_uri: str, name: str) -> str:
    return make_url(database_uri).set(database=name).render_as_string(hide_password=False)


async def _administer(database_uri: str, statement: str) -> None:
    engine = create_async_engine(database_uri, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
