"""What one source of metrics does to the others."""

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


def test_no_source_waits_for_another() -> None:
    registry, asked = CollectorRegistry(), Event()
    registry.register(Scrape([Waiting(asked), Asked(asked)]))

    assert registry.get_sample_value("asked") == 1
