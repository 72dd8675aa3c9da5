"""A worker that the tests share, and that outlives what they do to it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.databases import Databases
from tests.support.house import House, lent_house


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def shared(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    """A running LexiClass with a database and a namespace in Redis of its own."""
    directory = tmp_path_factory.mktemp("shared")
    with (
        # So many that no test has to think of it.
        lent_house(servers, databases, directory, LIMITS__TRAININGS_PER_PROJECT="9") as house,
        # What is lost is found soon.
        house.worker(RECONCILER__INTERVAL_S="1") as group,
    ):
        yield Shared(house, group)
