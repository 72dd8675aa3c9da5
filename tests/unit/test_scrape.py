"""What one source of metrics does to the others."""

import time
from threading import Event

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily

from lexiclass_worker.telemetry.scrape import Scrape


class Answering:
    name = "answering"

    def read(self) -> list[Metric]:
        return [GaugeMetricFamily("answer", "It answers.", 42)]


class Failing:
    """Fails in a way that nobody has foreseen, as often as it is told to."""

    name = "failing"

    def __init__(self) -> None:
        self.error: Exception | None = LookupError("nobody expects this")

    def read(self) -> list[Metric]:
        if self.error is not None:
            raise self.error
        return [GaugeMetricFamily("other", "It answers again.", 1)]


class Waiting:
    """Answers when the one after it has been asked."""

    name = "waiting"

    def __init__(self, asked: Event) -> None:
        self.asked = asked

    def read(self) -> list[Metric]:
        return [GaugeMetricFamily("asked", "Whether it was.", self.asked.wait(60))]


class Asked:
    name = "asked"

    def __init__(self, asked: Event) -> None:
        self.asked = asked

    def read(self) -> list[Metric]:
        self.asked.set()
        return []


class Hanging:
    """Answers when it is let go, as the system's resolver does without a name server."""

    name = "hanging"

    def __init__(self) -> None:
        self.may_end, self.has_ended = Event(), Event()
        self.times_asked = 0

    def read(self) -> list[Metric]:
        self.times_asked += 1
        self.may_end.wait()
        self.has_ended.set()
        return [GaugeMetricFamily("asked", "How often it was.", self.times_asked)]


def failed(registry: CollectorRegistry, source: str) -> float | None:
    return registry.get_sample_value("lexiclass_scrape_errors", {"source": source})


def test_a_source_that_fails_in_any_way_is_told_and_hides_no_other() -> None:
    registry, failing = CollectorRegistry(), Failing()
    registry.register(Scrape([failing, Answering()]))

    assert registry.get_sample_value("answer") == 42
    assert (failed(registry, "failing"), failed(registry, "answering")) == (1, 0)
    failing.error = None
    assert registry.get_sample_value("other") == 1
    assert failed(registry, "failing") == 0


def test_a_source_that_hangs_is_told_hides_no_other_and_is_not_asked_again() -> None:
    registry, hanging = CollectorRegistry(), Hanging()
    # It is registered by a scrape.
    scrape = Scrape([hanging, Answering()], deadline_s=0.1)
    registry.register(scrape)
    try:
        for _ in range(3):
            assert registry.get_sample_value("answer") == 42
        assert (failed(registry, "hanging"), failed(registry, "answering")) == (1, 0)
        assert (hanging.times_asked, scrape.is_hanging) == (1, True)
    finally:
        hanging.may_end.set()
    assert hanging.has_ended.wait(60)
    while scrape.is_hanging:
        time.sleep(0.01)
    # What it said then is of a moment long ago: it is asked anew.
    assert registry.get_sample_value("asked") == 2


def test_no_source_waits_for_another() -> None:
    registry, asked = CollectorRegistry(), Event()
    registry.register(Scrape([Waiting(asked), Asked(asked)]))

    assert registry.get_sample_value("asked") == 1
