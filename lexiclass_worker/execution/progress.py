"""How far a running task is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lexiclass_worker.execution.rate_estimator import RateEstimator


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Progress at one moment; see :class:`~lexiclass_core.events.TaskEvent`."""

    percent: int
    stage: str | None = None
    unit: str | None = None
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    eta_s: float | None = None
    task_eta_s: float | None = None


class Progress:
    """How far an operation is, in percent of its planned stages and in units of the present one.

    On its own it only counts; :class:`.ProgressPublisher` tells others.

    Args:
        clock: Seconds, from anywhere.
        on_stage: Is told the name of each stage that begins.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        on_stage: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.percent = 0
        self.stage = ""
        self._clock = clock
        self._on_stage = on_stage
        self._done = self._total = 0
        self._rate = RateEstimator(clock)
        self._spans: dict[str, tuple[float, float]] = {}
        self._units: Mapping[str, str] = {}
        self._longest_begins = 0.0

    def plan(
        self, weights: Mapping[str, float], *, units: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Name the stages in order.

        Weights are each stage's share of the time, which need not add up. ``units`` are what a
        stage counts, in the plural; a stage that is not there counts nothing.
        """
        total = sum(weights.values())
        begin = 0.0
        self._spans = {}
        for stage, weight in weights.items():
            end = begin + 100 * weight / total
            self._spans[stage] = (begin, end)
            begin = end
        longest = max(weights, key=weights.__getitem__)
        self._longest_begins = self._spans[longest][0]
        self._units = units

    def report(self, stage: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` units of a stage are done. Percent never goes back."""
        if stage != self.stage:
            self._on_stage(stage)
        if stage != self.stage or done < self._done:
            self._rate = RateEstimator(self._clock)
        self.stage, self._done, self._total = stage, done, total
        self._rate.note(done)
        begin, end = self._spans.get(stage, (self.percent, self.percent))
        fraction = done / total if total > 0 else 1.0
        # 100 % is said by the task's success alone.
        self.percent = min(99, max(self.percent, int(begin + (end - begin) * fraction)))

    def read(self) -> Reading:
        """All of it, now."""
        unit = self._units.get(self.stage)
        if unit is None or self._total <= 0:
            return Reading(percent=self.percent, stage=self.stage or None)
        done = min(max(0, self._done), self._total)
        eta_s = self._rate.eta_s(self._total)
        return Reading(
            percent=self.percent,
            stage=self.stage,
            unit=unit,
            done=done,
            total=self._total,
            rate=_rounded(self._rate.rate),
            eta_s=_rounded(eta_s),
            task_eta_s=_rounded(self._task_eta_s(eta_s)),
        )

    def _task_eta_s(self, eta_s: float | None) -> float | None:
        """The stage's rest, and what follows at the time that the plan gives it beside this stage.

        Before the longest stage has begun nobody knows: how long a training takes does not show in
        how long its documents took to read.
        """
        begin, end = self._spans.get(self.stage, (0.0, 0.0))
        if eta_s is None or begin == end or begin < self._longest_begins:
            return None
        return eta_s + (100 - end) * (self._rate.seconds + eta_s) / (end - begin)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")
