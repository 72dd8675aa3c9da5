"""Publishing files and rows together, in a storage that takes its time."""

import time
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest

from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_worker.config import Settings
from lexiclass_worker.services import publication
from lexiclass_worker.storage import LocalStorage, Staged
from tests.support.services import Workshop

IDLE_S = 0.5


class SlowStorage(LocalStorage):
    """Publishes as an object store does that has gigabytes to copy."""

    def stage(self, source: Path, target: PurePosixPath) -> Staged:
        staged = super().stage(source, target)
        publish = staged.publish

        def publish_slowly() -> None:
            time.sleep(3 * IDLE_S)
            publish()

        staged.publish = publish_slowly  # type: ignore[method-assign]
        return staged


@pytest.fixture
async def impatient(
    database_uri: str, settings: Settings, storage_path: Path
) -> AsyncIterator[Workshop]:
    """A PostgreSQL that soon takes a transaction for abandoned."""
    engine = create_engine(database_uri, idle_in_transaction_timeout_s=IDLE_S)
    yield Workshop(create_session_factory(engine), settings, storage_path)
    await engine.dispose()


async def test_files_may_take_longer_than_a_transaction_may_be_idle(
    impatient: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "_AWAKE_S", IDLE_S / 5)
    project = await impatient.project(training=4, test=1)
    await impatient.train(project)
    impatient.storage = SlowStorage(impatient.path)
    result = await impatient.predict(project, message_id="slow")
    written = await impatient.row("SELECT count(*) FROM prediction")
    assert written["count"] == result.predictions_created > 0
    assert impatient.history(project, "slow").is_file()
