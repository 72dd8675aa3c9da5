"""A worker that the tests share, and that outlives what they do to it; how long faults took."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.databases import Databases
from tests.support.house import House, lent_house

Took = Callable[[str, float], None]


@pytest.fixture
def took(record_property: Callable[[str, object], None]) -> Took:
    """Notes how many seconds something took, for the table at the end of the run."""

    def note(what: str, seconds: float) -> None:
        record_property("took", (what, seconds))

    return note


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes a line for the end of the run, printed too: of a failure it is in the report."""

    def note(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        record_property("measured", line)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests have measured."""
    measured = [
        noted
        for report in terminalreporter.getreports("passed")
        for name, noted in report.user_properties
        if name == "took"
    ]
    if measured:
        terminalreporter.section("seconds from a fault to its end")
        for what, seconds in sorted(measured):
            terminalreporter.write_line(f"{seconds:8.2f}  {what}")
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == "measured":
                terminalreporter.write_line(str(line))


@pytest.fixture(scope="session")
def faulty_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer with mistakes in native code, installed as any other plugin."""
    target = tmp_path_factory.mktemp("installed")
    source = Path(__file__).parents[1] / "support" / "faulty_plugin"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--target", target, source),
        ],
        check=True,
    )
    return target


@dataclass(frozen=True, slots=True)
class Shared:
    """A house and the worker in it."""

    house: House
    group: WorkerGroup


@pytest.fixture(scope="session")
def shared(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    """A running LexiClass with a database and a namespace in Redis of its own."""
    directory = tmp_path_factory.mktemp("shared")
    with (
        # So many that no test has to think of it.
        lent_house(servers, databases, directory, LIMITS__TRAININGS_PER_PROJECT="9") as house,
        house.worker() as group,
    ):
        yield Shared(house, group)
