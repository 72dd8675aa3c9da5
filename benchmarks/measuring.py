"""Times in pairs, and peak memory: what a ratio is made of."""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil

_SAMPLE_S = 0.05

# A file's times are relied on two seconds after it was written.
_SETTLE_S = 2.1


def side_by_side(rounds: int, **contestants: Callable[[], Any]) -> dict[str, list[float]]:
    """Time functions in turn, so that whatever else the machine does meets each of them.

    Args:
        rounds: How often; each round runs every function once.
        **contestants: What is timed. A function may be a generator: what it does before its only
            ``yield`` prepares, and only what comes after it is timed.

    Returns:
        Wall-clock seconds of every round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, function in contestants.items():
            gc.collect()
            seconds[name].append(_time(function))
    return seconds


def _time(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work = function()
    if isinstance(work, Iterator):
        next(work)
        began = time.perf_counter()
        next(work, None)
    return time.perf_counter() - began


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio(seconds: Mapping[str, Sequence[float]], over: str, under: str) -> float:
    """Return the median of one function's time over another's, round by round."""
    pairs = zip(seconds[over], seconds[under], strict=True)
    return statistics.median(above / below for above, below in pairs)


def settle(written_at: float) -> None:
    """Wait until the times of files are relied on.

    Args:
        written_at: When the last of them was written, by :func:`time.monotonic`.
    """
    time.sleep(max(0.0, written_at + _SETTLE_S - time.monotonic()))


def peak_memory(function: Callable[..., Any], *arguments: Any) -> int:
    """Run a function in a new process.

    Returns:
        The most memory it and the processes it started held together, in bytes: each page counted
        once (Linux' proportional set size), pages of mapped files among them.

    Raises:
        RuntimeError: If it fails.
    """
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    peak = 0
    while process.is_alive():
        peak = max(peak, _held(psutil.Process(process.pid)))
        process.join(_SAMPLE_S)
    if process.exitcode != 0:
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")
    return peak


def _held(process: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += member.memory_full_info().pss
    return total
