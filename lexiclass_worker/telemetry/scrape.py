"""One scrape: several sources, of which some may be down."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Final, Protocol, TypeVar

from loguru import logger
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.db import create_engine
from lexiclass_worker.causes import cause_of
from lexiclass_worker.telemetry.metrics_directory import (
    began_at_s,
    locked,
    note_scrape,
    retire_dead_processes,
)

T = TypeVar("T")

# Prometheus gives up after ten seconds, and would then take the group for dead.
_DEADLINE_S: Final = 8.0


class Source(Protocol):
    """Something that is read at each scrape."""

    @property
    def name(self) -> str:
        """Label of the source in ``lexiclass_scrape_errors``."""
        ...

    def read(self) -> Iterable[Metric]:
        """Every metric of the source, complete, before the first is used."""
        ...


class Scrape(Collector):
    """Reads every source; one that is down leaves its series out and the others in.

    ``lexiclass_scrape_errors{source}`` says which: 1 when the source could not be read, else 0.

    Each source bounds what it waits for, but for the system's own resolver, which takes as long as
    it likes for a name server that does not answer: a source that hangs is left behind, and not
    asked again before it has come back, for threads would pile up.

    Args:
        deadline_s: Seconds after which a source counts as one that cannot be read.
    """

    def __init__(self, sources: Sequence[Source], *, deadline_s: float = _DEADLINE_S) -> None:
        self._sources = sources
        self._deadline_s = deadline_s
        self._readings: dict[str, Future[list[Metric]]] = {}
        self._down: set[str] = set()
        # Two scrapes at once would ask the servers the same things twice.
        self._lock = Lock()

    @property
    def is_hanging(self) -> bool:
        """Whether a source has not come back yet."""
        return not all(reading.done() for reading in self._readings.values())

    def collect(self) -> Iterable[Metric]:
        """The metrics of all sources that answer."""
        with self._lock:
            return self._collect()

    def _collect(self) -> list[Metric]:
        metrics: list[Metric] = []
        errors = GaugeMetricFamily(
            "lexiclass_scrape_errors",
            "Whether this scrape could not read a source: 1, else 0.",
            labels=["source"],
        )
        until_s = time.monotonic() + self._deadline_s
        # Side by side: several that are away together take no longer than one.
        for source in self._sources:
            before = self._readings.get(source.name)
            if before is None or before.done():
                self._readings[source.name] = begin(source.name, partial(_read, source))
        for name, reading in self._readings.items():
            # Whatever it is, the other sources can be read.
            if (error := self._wait(reading, until_s)) is not None:
                self._note_failure(name, error)
                errors.add_metric([name], 1)
            else:
                metrics.extend(reading.result())
                self._note_success(name)
                errors.add_metric([name], 0)
        return [*metrics, errors]

    def _wait(self, reading: Future[list[Metric]], until_s: float) -> BaseException | None:
        """Why a source cannot be read; None if it can."""
        try:
            return reading.exception(max(0.0, until_s - time.monotonic()))
        except TimeoutError:
            return TimeoutError(f"no answer within {self._deadline_s:g} seconds")

    def _note_failure(self, source: str, error: BaseException) -> None:
        # Once, not at each scrape: a server that is down for a night would fill the log.
        if source not in self._down:
            self._down.add(source)
            logger.warning(
                "cannot read {} for /metrics, its series are left out: {}",
                source,
                cause_of(error),
            )

    def _note_success(self, source: str) -> None:
        if source in self._down:
            self._down.remove(source)
            logger.info("{} can be read for /metrics again", source)


def _read(source: Source) -> list[Metric]:
    return list(source.read())


def begin(name: str, work: Callable[[], T]) -> Future[T]:
    """Do something in a thread that keeps no process from ending, however long it takes."""
    future = Future[T]()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
            future.set_exception(error)

    Thread(target=run, name=f"scrape-{name}", daemon=True).start()
    return future


class ProcessSource:
    """What the processes of the group counted, added up."""

    name = "processes"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> list[Metric]:
        """Every series of the living and the retired."""
        # Cleaners of temporary files remove it.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        note_scrape(self._directory)
        began = GaugeMetricFamily(
            "lexiclass_counts_began_timestamp_seconds",
            "Since when what the processes of this group count is counted.",
        )
        with locked(self._directory):
            began.add_metric([], began_at_s(self._directory))
            retire_dead_processes(self._directory)
            collector = MultiProcessCollector(None, str(self._directory))
            return [began, *collector.collect()]


Reading = Callable[[AsyncConnection], Awaitable[list[Metric]]]

_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """One reading, on a connection of its own: a table that is locked or lacking hides no other.

    Attributes:
        name: Label of the reading in ``lexiclass_scrape_errors``.
        reading: Makes the series. Each of its statements is given 2 seconds.
    """

    name: str
    database_uri: str
    reading: Reading

    def read(self) -> list[Metric]:
        """The series.

        Raises:
            SQLAlchemyError: PostgreSQL refuses, has no such table, or takes more than 2 seconds.
            OSError: PostgreSQL is not there.
            TimeoutError: PostgreSQL does not answer.
        """
        return ask_rows(self.database_uri, self.reading)


def ask_rows(
    database_uri: str,
    reading: Callable[[AsyncConnection], Awaitable[T]],
    *,
    timeout_s: float = _TIMEOUT_S,
) -> T:
    """What a reading finds, on a connection that is made for it.

    Raises:
        SQLAlchemyError: PostgreSQL refuses, has no such table, or takes longer for a statement.
        OSError: PostgreSQL is not there.
        TimeoutError: PostgreSQL does not answer.
    """
    return asyncio.run(_ask_rows(database_uri, reading, timeout_s))


async def _ask_rows(
    database_uri: str, reading: Callable[[AsyncConnection], Awaitable[T]], timeout_s: float
) -> T:
    engine = create_engine(
        database_uri,
        pool_size=1,
        application_name="lexiclass-metrics",
        command_timeout_s=2 * timeout_s,
        connect_timeout_s=_TIMEOUT_S,
    )
    try:
        async with engine.connect() as connection:
            # Ended by the server, which would go on counting for a client that went away.
            await connection.execute(
                text("SELECT set_config('statement_timeout', :milliseconds, true)"),
                {"milliseconds": str(int(timeout_s * 1000))},
            )
            return await reading(connection)
    finally:
        await engine.dispose()
