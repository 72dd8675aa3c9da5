"""One scrape: several sources, of which some may be down."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from loguru import logger
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.db import create_engine
from lexiclass_worker.causes import cause_of
from lexiclass_worker.telemetry.metrics_directory import locked, retire_dead_processes


class Source(Protocol):
    """Something that is read at each scrape."""

    @property
    def name(self) -> str:
        """Label of the source in ``lexiclass_scrape_errors``."""
        ...

    def read(self) -> Iterable[Metric]:
        """Every metric of the source, complete, before the first is used."""
        ...


def _read(source: Source) -> list[Metric]:
    return list(source.read())


class Scrape(Collector):
    """Reads every source; one that is down leaves its series out and the others in.

    ``lexiclass_scrape_errors{source}`` says which: 1 when the source could not be read, else 0.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._down: set[str] = set()
        # Two scrapes at once would ask the servers the same things twice.
        self._lock = Lock()

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
        # Side by side: several that are away together take no longer than one.
        with ThreadPoolExecutor(len(self._sources), thread_name_prefix="scrape") as pool:
            readings = [(source.name, pool.submit(_read, source)) for source in self._sources]
        for name, reading in readings:
            # Whatever it is, the other sources can be read.
            if (error := reading.exception()) is not None:
                self._note_failure(name, error)
                errors.add_metric([name], 1)
            else:
                metrics.extend(reading.result())
                self._note_success(name)
                errors.add_metric([name], 0)
        return [*metrics, errors]

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


class ProcessSource:
    """What the processes of the group counted, added up."""

    name = "processes"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> list[Metric]:
        """Every series of the living and the retired."""
        # Cleaners of temporary files remove it.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._directory):
            retire_dead_processes(self._directory)
            collector = MultiProcessCollector(None, str(self._directory))
            return list(collector.collect())


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
        return asyncio.run(self._read())

    async def _read(self) -> list[Metric]:
        engine = create_engine(
            self.database_uri,
            pool_size=1,
            application_name="lexiclass-metrics",
            command_timeout_s=2 * _TIMEOUT_S,
            connect_timeout_s=_TIMEOUT_S,
        )
        try:
            async with engine.connect() as connection:
                # Ended by the server, which would go on counting for a client that went away.
                await connection.execute(
                    text("SELECT set_config('statement_timeout', :milliseconds, true)"),
                    {"milliseconds": str(int(_TIMEOUT_S * 1000))},
                )
                return await self.reading(connection)
        finally:
            await engine.dispose()
