"""Readiness for a prober: bounded in time, whatever hangs, and cheap to ask often."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks import CHECKS, Check

_DEADLINE_S: Final = 2.5
_FRESH_S: Final = 1.0


class Readiness:
    """Runs the checks side by side and answers within a deadline.

    An answer is used again for a second, so that probes do not load the servers. A check that
    hangs, as on a dead network disk, is not started a second time: it would pile up threads.

    Args:
        settings: What to check.
        checks: The checks by name.
        deadline_s: Seconds after which a check that has not answered counts as failed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        checks: Mapping[str, Callable[[Settings], Check]] = CHECKS,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._settings = settings
        self._checks = checks
        self._deadline_s = deadline_s
        self._lock = Lock()
        self._running: dict[str, Future[Check]] = {}
        self._answer: list[Check] = []
        self._answered_at_s = float("-inf")

    def check(self) -> list[Check]:
        """Every check's outcome."""
        with self._lock:
            if time.monotonic() - self._answered_at_s >= _FRESH_S:
                self._answer = self._ask()
                self._answered_at_s = time.monotonic()
            return self._answer

    def _ask(self) -> list[Check]:
        for name in self._checks:
            if name not in self._running:
                self._running[name] = self._start(name)
        until_s = time.monotonic() + self._deadline_s
        return [self._await(name, until_s) for name in self._checks]

    def _start(self, name: str) -> Future[Check]:
        future: Future[Check] = Future()

        def run() -> None:
            future.set_result(self._checks[name](self._settings))

        # A daemon: one that hangs must not keep the process from ending.
        Thread(target=run, name=f"check-{name}", daemon=True).start()
        return future

    def _await(self, name: str, until_s: float) -> Check:
        try:
            check = self._running[name].result(max(0.0, until_s - time.monotonic()))
        except TimeoutError:
            return Check(name, ok=False, reason=f"no answer within {self._deadline_s:g} seconds")
        del self._running[name]
        return check


class ReadinessSource:
    """The checks of /readyz as series: ``lexiclass_check_up`` and ``lexiclass_check_warning``."""

    name = "readiness"
    errors: tuple[type[Exception], ...] = ()

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
            up.add_metric([check.name], check.ok)
            warning.add_metric([check.name], bool(check.warning))
        return [up, warning]
