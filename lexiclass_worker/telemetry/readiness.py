"""Checks for a prober and for people: bounded in time, whatever hangs, and cheap to ask often."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks import DECIDING
from lexiclass_worker.telemetry.checks.outcome import Check, Probe, State

_DEADLINE_S: Final = 2.5
_FRESH_S: Final = 1.0
_UNANSWERED: Final = "see whether what it asks has stopped, hangs or is out of reach"


class Readiness:
    """Runs checks side by side and answers within a deadline.

    An answer is used again for a second, so that probes do not load the servers. A check that
    hangs, as on a dead network disk, is not started a second time: it would pile up threads. One
    that needs another begins when that has passed, and is skipped when it has not.

    Args:
        probes: The checks by name; one that is needed comes before those that need it.
        deadline_s: Seconds after which all is answered; None leaves it to the limit of each check.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        probes: Mapping[str, Probe] = DECIDING,
        deadline_s: float | None = _DEADLINE_S,
    ) -> None:
        self._settings = settings
        self._probes = probes
        self._deadline_s = float("inf") if deadline_s is None else deadline_s
        self._lock = Lock()
        self._running: dict[str, Future[Check]] = {}
        self._ended_at_s: dict[str, float] = {}
        self._answer: list[Check] = []
        self._answered_at_s = float("-inf")

    @property
    def is_hanging(self) -> bool:
        """Whether a check has not come back yet."""
        return not all(future.done() for future in self._running.values())

    def check(self) -> list[Check]:
        """Every check's outcome."""
        with self._lock:
            if time.monotonic() - self._answered_at_s >= _FRESH_S:
                self._answer = self._ask()
                self._answered_at_s = time.monotonic()
            return self._answer

    def _ask(self) -> list[Check]:
        began_at_s = time.monotonic()
        for name in self._probes:
            before = self._running.get(name)
            # What came too late for the answer before is of a moment long ago.
            if before is None or before.done():
                self._running[name] = self._start(name)
        outcomes: dict[str, Check] = {}
        for name in self._probes:
            outcomes[name] = self._await(name, outcomes, began_at_s)
        return list(outcomes.values())

    def _start(self, name: str) -> Future[Check]:
        probe, future = self._probes[name], Future[Check]()
        needed = None if probe.needs is None else self._running[probe.needs]

        def run() -> None:
            if needed is not None and (skipped := _skipped(name, needed.result())):
                future.set_result(skipped)
                return
            check = probe.look(self._settings)
            self._ended_at_s[name] = time.monotonic()
            future.set_result(check)

        # A daemon: one that hangs must not keep the process from ending.
        Thread(target=run, name=f"check-{name}", daemon=True).start()
        return future

    def _await(self, name: str, outcomes: Mapping[str, Check], began_at_s: float) -> Check:
        probe, future = self._probes[name], self._running[name]
        from_s, limit_s = began_at_s, probe.limit_s
        if probe.needs is not None:
            if not future.done() and (skipped := _skipped(name, outcomes[probe.needs])):
                return skipped
            from_s = self._ended_at_s.get(probe.needs, began_at_s)
        until_s = min(from_s + limit_s, began_at_s + self._deadline_s)
        try:
            check = future.result(max(0.0, until_s - time.monotonic()))
        except TimeoutError:
            limit_s = min(limit_s, self._deadline_s)
            found = f"no answer within {limit_s:g} seconds"
            return Check(name, State.FAIL, found, _UNANSWERED)
        del self._running[name]
        return check


class ReadinessSource:
    """The checks of /readyz as series: ``lexiclass_check_up`` and ``lexiclass_check_warning``."""

    name = "readiness"

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def read(self) -> list[Metric]:
        """What each check says."""
        up = GaugeMetricFamily(
            "lexiclass_check_up",
            "Whether a check of /readyz finds what the workers need: 1, else 0.",
            labels=["check"],
        )
        warning = GaugeMetricFamily(
            "lexiclass_check_warning",
            "Whether a check of /readyz finds something that could be better: 1, else 0.",
            labels=["check"],
        )
        for check in self._readiness.check():
            if check.state is State.SKIPPED:
                continue  # of what it needs is told that it is down
            up.add_metric([check.name], check.ok)
            warning.add_metric([check.name], bool(check.warning))
        return [up, warning]


def _skipped(name: str, needed: Check) -> Check | None:
    if needed.state in {State.PASS, State.WARN}:
        return None
    return Check(name, State.SKIPPED, f"not looked at, for {needed.name} comes first")
