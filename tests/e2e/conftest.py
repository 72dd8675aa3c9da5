"""A worker that the tests share: booting one for each would take most of their time."""

from collections.abc import Iterator

import pytest

from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.corpora import SmallProject
from tests.support.databases import Databases
from tests.support.house import House, lent_house


@pytest.fixture(scope="package")
def closed_house(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A database and a namespace in Redis, without a worker."""
    directory = tmp_path_factory.mktemp("house")
    with lent_house(servers, databases, directory) as house:
        yield house


@pytest.fixture(scope="package")
def group(closed_house: House) -> Iterator[WorkerGroup]:
    """The workers of the house."""
    with closed_house.worker() as group:
        yield group


@pytest.fixture(scope="package")
def house(closed_house: House, group: WorkerGroup) -> House:
    """A running LexiClass with a database and a namespace in Redis of its own."""
    assert group.process.poll() is None
    return closed_house


@pytest.fixture(scope="package")
def trained(house: House) -> SmallProject:
    """A project with one trained model. Tests that share it leave it as it is."""
    project = house.project()
    house.train(project)
    return project
