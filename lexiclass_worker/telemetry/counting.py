"""Counting, in worker processes.

The functions that record do nothing in a process in which :func:`configure_metrics` was not
called: a script or a notebook that calls a service needs no metrics.
"""

import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final, Literal

from loguru import logger
from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

from lexiclass_core.codes import ErrorCode
from lexiclass_core.operations import OPERATIONS
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError, Settings, set_process_variable
from lexiclass_worker.telemetry.metrics import UNKNOWN, Series, create_series
from lexiclass_worker.telemetry.metrics_directory import (
    announce_process,
    began_at_s,
    locked,
    open_directory,
    retire_dead_processes,
)

_CODES: Final = frozenset(ErrorCode)
# Faults of what tasks run on. An increase is seen only of a series that was there before it.
_FAULTS: Final = (
    *(ErrorCode.CRASHED, ErrorCode.MEMORY_LIMIT, ErrorCode.TIME_LIMIT, ErrorCode.INTERNAL_ERROR),
    *(ErrorCode.STORAGE_ERROR, ErrorCode.DATABASE_ERROR, ErrorCode.MODEL_CORRUPT),
)
_ORIGINS: Final = frozenset({"indexed", "changed", "missing"})

# A child says what they are, and each is kept for ever. Those of all operations are some twenty.
_MOST_STAGES: Final = 64
_LONGEST_STAGE: Final = 100
_stages: Final[set[str]] = set()

Outcome = Literal["succeeded", "failed", "retrying", "cancelled", "skipped", "interrupted"]
"""How an attempt at a task ended. ``skipped``: it had ended before, or others work on the task;
``interrupted``: it has not."""


@dataclass(frozen=True, slots=True)
class _Configured:
    settings: Settings
    directory: Path
    series: Series
    alive: BinaryIO
    """Held open: it shows other processes that this one lives."""

    @property
    def is_there(self) -> bool:
        """Whether nobody has removed the files meanwhile, as cleaners of temporary files do."""
        return os.path.exists(self.alive.name)  # noqa: PTH110 - asked for at each count


_configured: _Configured | None = None
_beginning_anew: Final = Lock()


def configure_metrics(settings: Settings) -> None:
    """Let this process count, in files it shares with the other processes of its group.

    Call it after the fork that made the process. Files that dead processes left are given away:
    their counts stay, what their gauges said goes. Calling it again for the same folder changes
    nothing.

    Raises:
        ConfigurationError: The folder cannot be made or belongs to another user.
        OSError: The folder cannot be written.
    """
    global _configured  # noqa: PLW0603 - the one place that knows whether this process counts
    directory = open_directory(settings)
    if _configured is not None and _configured.directory == directory and _configured.is_there:
        return
    with locked(directory):
        began_at_s(directory)
        retire_dead_processes(directory)
        alive = announce_process(directory)
    set_process_variable("PROMETHEUS_MULTIPROC_DIR", str(directory))
    # Chosen at import from the variable above, and somebody may have imported it before; setting
    # it is prometheus_client's own recipe. https://prometheus.github.io/client_python/multiprocess
    values.ValueClass = values.MultiProcessValue()
    if _configured is not None:
        _configured.alive.close()
    series = create_series()
    _begin_at_zero(series)
    _configured = _Configured(settings, directory, series, alive)


def close_metrics() -> None:
    """Take this process out of the live gauges; its counts stay. It counts no more."""
    global _configured  # noqa: PLW0603 - see configure_metrics
    if _configured is None:
        return
    mark_process_dead(os.getpid(), str(_configured.directory))
    _configured.alive.close()
    _configured = None


def current_series() -> Series | None:
    """The series of this process; None before :func:`configure_metrics`.

    If somebody has removed their files, those of new ones, which begin at 0; None if none can be
    made.
    """
    if _configured is None or _configured.is_there:
        return None if _configured is None else _configured.series
    with _beginning_anew:
        try:
            configure_metrics(_configured.settings)
        except (ConfigurationError, OSError) as error:
            logger.warning("Nothing is counted for now: {error}", error=cause_of(error))
            return None
    return _configured.series


def observe_task(
    *, actor: str, queue: str, outcome: Outcome, code: str | None, seconds: float
) -> None:
    """Record one attempt at a task. Nothing before :func:`configure_metrics`.

    The queue is without the suffix of delayed messages; seconds are by a monotonic clock.
    """
    if (series := current_series()) is not None:
        series.task_durations_s.labels(actor, queue, outcome).observe(seconds)
        if code is not None:
            # A row of another program may hold any.
            known = code if code in _CODES else UNKNOWN
            series.task_errors.labels(actor, outcome, known).inc()


def observe_stage(*, operation: str, stage: str, seconds: float) -> None:
    """Record one stage of an operation. Nothing before :func:`configure_metrics`.

    ``stage`` is one of a few fixed names. Seconds by a monotonic clock; what is no number is left
    out.
    """
    if (series := current_series()) is not None and _is_count(seconds):
        series.stage_durations_s.labels(operation, _known_stage(stage)).observe(seconds)


def count_documents(*, operation: str, documents: int) -> None:
    """Count documents that an operation went through. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None:
        series.documents_processed.labels(operation).inc(documents)


def count_index_lookups(*, operation: str, origins: Mapping[str, int]) -> None:
    """Count documents by where their tokens came from. Nothing before :func:`configure_metrics`.

    ``origins`` say how many were ``indexed``, ``changed``, ``missing``.
    """
    if (series := current_series()) is not None:
        for result, documents in origins.items():
            if result in _ORIGINS and _is_count(documents):
                series.index_lookups.labels(operation, result).inc(documents)


def observe_wait(*, queue: str, seconds: float) -> None:
    """Record a task's wait for its first attempt. Nothing before :func:`configure_metrics`.

    Seconds since it could have begun; the clock of its sender may be ahead, which counts as 0.
    """
    if (series := current_series()) is not None:
        series.task_waits_s.labels(queue).observe(max(0.0, seconds))


def count_lapsed_lease(*, actor: str) -> None:
    """Count an attempt whose worker died or stalled. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None:
        series.leases_lapsed.labels(actor).inc()


def count_lost_lease(*, actor: str) -> None:
    """Count an attempt that lost its task to another. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None:
        series.leases_lost.labels(actor).inc()


def count_refused_documents(*, operation: str, documents: int) -> None:
    """Count documents that could not be read. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None and _is_count(documents):
        series.documents_refused.labels(operation).inc(documents)


def observe_child_memory(*, function: str, peak_bytes: int) -> None:
    """Record what a job took. Nothing before :func:`configure_metrics`.

    The function is ``module:name``; modules are left out. The most memory that was seen is in
    bytes.
    """
    if (series := current_series()) is not None:
        series.child_memory_bytes.labels(function.rpartition(":")[2]).observe(peak_bytes)


def expect_reconciliations(actions: Iterable[str]) -> None:
    """Let each action begin at 0. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None:
        for action in actions:
            series.reconciler_actions.labels(action)


def note_reconciliation(actions: Mapping[str, int]) -> None:
    """Record what the reconciler did. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None:
        series.reconciler_succeeded_at_s.set(time.time())
        for action, count in actions.items():
            series.reconciler_actions.labels(action).inc(count)


def count_model_lookup(*, result: Literal["hit", "miss"]) -> None:
    """Count a look-up of a loaded model. Nothing before :func:`configure_metrics`."""
    if (series := current_series()) is not None:
        series.model_cache.labels(result).inc()


def _begin_at_zero(series: Series) -> None:
    """Make what alerts look at: a counter that begins with its first event has not increased."""
    for actor in OPERATIONS:
        series.leases_lapsed.labels(actor)
        series.leases_lost.labels(actor)
        for outcome in ("failed", "retrying"):
            for code in _FAULTS:
                series.task_errors.labels(actor, outcome, code)
    for operation in ("index", "train", "predict", "evaluate"):
        series.documents_refused.labels(operation)
        series.documents_processed.labels(operation)


def _known_stage(stage: str) -> str:
    if len(_stages) < _MOST_STAGES and len(stage) <= _LONGEST_STAGE:
        _stages.add(stage)
    return stage if stage in _stages else UNKNOWN


def _is_count(number: object) -> bool:
    """Whether it can be added to a sum that is kept for ever."""
    return isinstance(number, int | float) and 0 <= number < math.inf
