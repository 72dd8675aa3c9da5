"""What integration tests share."""

from pathlib import Path

import pytest

from lexiclass_core.db import SessionFactory
from lexiclass_worker import sandbox
from lexiclass_worker.config import Settings
from tests.support.services import House


@pytest.fixture(scope="session")
def warm_sandbox() -> None:
    """A fork server that has the libraries, so that no test pays for its start."""
    sandbox.warm_up()


@pytest.fixture
def house(
    warm_sandbox: None, sessions: SessionFactory, settings: Settings, storage_path: Path
) -> House:
    """Services on the servers and the storage of this test."""
    return House(sessions, settings, storage_path)
