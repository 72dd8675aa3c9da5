"""A worker that the tests share, and that outlives what they do to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.house import House, cloned_database, open_house


@dataclass(frozen=True, slots=True)
class Shared:
    """A house and the worker in it."""

    house: House
    group: WorkerGroup


@pytest.fixture(scope="session")
def shared(
    servers: EmbeddedServers, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    """A running LexiClass with a database and a namespace in Redis of its own."""
    directory = tmp_path_factory.mktemp("shared")
    with (
        cloned_database(servers.database_uri, template_database) as database_uri,
        open_house(
            # So many that no test has to think of it.
            database_uri,
            servers.broker_url,
            directory,
            LIMITS__TRAININGS_PER_PROJECT="9",
        ) as house,
        house.worker() as group,
    ):
        yield Shared(house, group)


@pytest.fixture
def own_house(database_uri: str, broker_url: str, tmp_path: Path) -> Iterator[House]:
    """A database and a namespace of this test's own, without a worker."""
    with open_house(database_uri, broker_url, tmp_path) as house:
        yield house
