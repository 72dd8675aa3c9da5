"""How many tasks there are, without a look at the whole table at each scrape."""

import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import Future
from functools import partial
from itertools import product
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.models import FINAL_TASK_STATUSES, TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.tasks.states import TASK
from lexiclass_worker.telemetry.metrics import UNKNOWN
from lexiclass_worker.telemetry.scrape import ask_rows, begin

OPEN_TASK_STATUSES: Final = frozenset(TaskStatus) - FINAL_TASK_STATUSES

Counts = Counter[tuple[str, str]]


class TaskSource:
    """``lexiclass_tasks`` by status and type, each of which has a series.

    Those that are open are found by an index. Those that have ended, which can be millions, are
    counted now and then: see :class:`KeptCounts`.
    """

    name = "postgresql"

    def __init__(self, database_uri: str) -> None:
        self._parts = [
            KeptCounts(database_uri, OPEN_TASK_STATUSES),
            KeptCounts(database_uri, FINAL_TASK_STATUSES),
        ]

    def read(self) -> list[Metric]:
        """The series; without those of a part that is being counted for the first time.

        Raises:
            SQLAlchemyError: PostgreSQL refuses, has no such table, or takes too long.
            OSError: PostgreSQL is not there.
            TimeoutError: PostgreSQL does not answer.
        """
        tasks = GaugeMetricFamily(
            "lexiclass_tasks", "Tasks in each status.", labels=["status", "type"]
        )
        for part in self._parts:
            counts = part.read()
            if counts is not None:
                for labels, count in counts.items():
                    tasks.add_metric(labels, count)
        return [tasks]


class KeptCounts:
    """How many tasks there are of some statuses, by status and type.

    A few are counted anew each time. Of more, what was counted last is told until ``share`` times
    as long has passed as counting them took, and counting takes as long as it has to, beside the
    scrapes: so it never takes PostgreSQL more than that share of the time.

    Args:
        few: How many are a few.
        patience_s: Longest wait of a scrape for what is being counted.
    """

    def __init__(
        self,
        database_uri: str,
        statuses: Collection[TaskStatus],
        *,
        few: int = 20_000,
        share: float = 100,
        patience_s: float = 2.0,
        timeout_s: float = 300.0,
    ) -> None:
        self._database_uri = database_uri
        self._statuses = statuses
        self._few = few
        self._share = share
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._counting: Future[Counts] | None = None
        self._took_s = 0.0
        self._kept: Counts | None = None
        self._failure: BaseException | None = None
        self._due_s = 0.0

    def read(self) -> Counts | None:
        """Those counted last; None while they are counted for the first time.

        Raises:
            SQLAlchemyError: PostgreSQL refuses, has no such table, or takes too long.
            OSError: PostgreSQL is not there.
            TimeoutError: PostgreSQL does not answer.
        """
        if self._counting is None:
            if time.monotonic() < self._due_s:
                return self._known()
            self._counting = begin("tasks", self._count)
        counting = self._counting
        try:
            error = counting.exception(self._patience_s)
        except TimeoutError:
            if self._kept is not None and self._kept.total() <= self._few:
                raise TimeoutError(
                    f"a few tasks are not counted after {self._patience_s:g} seconds"
                ) from None
            return self._kept
        self._counting = None
        # What is not known any more is not told.
        self._failure = error
        self._kept = None if error else counting.result()
        is_dear = self._kept is None or self._kept.total() > self._few
        self._due_s = time.monotonic() + self._share * self._took_s if is_dear else 0.0
        return self._known()

    def _known(self) -> Counts | None:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return self._kept

    def _count(self) -> Counts:
        reading = partial(_counts, statuses=self._statuses)
        began_s = time.monotonic()
        try:
            return ask_rows(self._database_uri, reading, timeout_s=self._timeout_s)
        finally:
            self._took_s = time.monotonic() - began_s


async def _counts(connection: AsyncConnection, statuses: Collection[TaskStatus]) -> Counts:
    rows = await connection.execute(
        select(TASK.c.status, TASK.c.type, func.count())
        # Named, not all but the others: an index finds what is equal.
        .where(TASK.c.status.in_(sorted(statuses)))
        .group_by(TASK.c.status, TASK.c.type)
    )
    counts = Counts(dict.fromkeys(product(sorted(statuses), OPERATIONS), 0))
    for status, kind, count in rows:
        # Anybody may write rows, and each type would be a new series.
        counts[status, kind if kind in OPERATIONS else UNKNOWN] += count
    return counts
