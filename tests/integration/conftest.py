"""What integration tests share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lexiclass_core.db import SessionFactory
from lexiclass_worker.config import Settings
from tests.support.sandboxes import sandbox
from tests.support.services import Workshop


@pytest.fixture(scope="session")
def warm_sandbox() -> Iterator[None]:
    """A fork server that has the libraries, so that no test pays for its start."""
    sandbox.warm_up()
    yield
    sandbox.close()


@pytest.fixture
async def workshop(
    warm_sandbox: None, sessions: SessionFactory, settings: Settings, storage_path: Path
) -> AsyncIterator[Workshop]:
    """Services on the servers and the storage of this test."""
    workshop = Workshop(sessions, settings, storage_path)
    yield workshop
    workshop.sandbox.close()
    await workshop.keeper.close()
