"""Publishing files and rows together, in a storage that takes its time."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.storage import Staged, Storage
from lexiclass_worker.artifacts.temporary import own_temporary_directory, temporary_folder
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.services import publication
from lexiclass_worker.services.model_files import verify_staged
from lexiclass_worker.services.publication import staging
from tests.support.damage import rewrite_json
from tests.support.services import Workshop
from tests.support.workers import wait_until

IDLE_S = 0.5


class SlowStorage(LocalStorage):
    """Publishes as an object store does that has gigabytes to copy."""

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        staged = super().stage(source, target, attempt)
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


@pytest.mark.slow
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


class Halting:
    """A step of a storage that a thread takes when it is told to."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self._may_go_on = threading.Event()

    def halt(self) -> None:
        self.has_begun.set()
        assert self._may_go_on.wait(60)

    async def cancel(self, work: "asyncio.Task[None]") -> None:
        """Cancel a task in the midst of the step, and let the thread go on after that."""
        await asyncio.to_thread(self.has_begun.wait, 60)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        self._may_go_on.set()


@pytest.mark.parametrize("kind", ["directory", "object store"])
async def test_what_is_being_staged_when_a_task_is_stopped_does_not_stay(
    workshop: Workshop, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: Storage = LocalStorage(workshop.path)
    if kind == "object store":
        storage = ObjectStorage(f"file://{workshop.path}")
    source = workshop.path / "made"
    source.mkdir()
    for name in ("data", "manifest.json"):
        (source / name).write_text(name)
    halting = Halting()
    stage = storage.stage

    def stage_slowly(source: Path, target: PurePosixPath, attempt: int) -> Staged:
        staged = stage(source, target, attempt)
        halting.halt()
        return staged

    monkeypatch.setattr(storage, "stage", stage_slowly)
    task = workshop.context()
    task.storage = storage

    async def work() -> None:
        async with staging(task, source, PurePosixPath("1/models/2/v3")):
            pytest.fail("it was stopped before")

    await halting.cancel(asyncio.create_task(work()))

    def is_clean() -> bool:
        return not [*workshop.path.glob(".scratch/*"), *source.parent.glob(".replaced-*")]

    await asyncio.to_thread(wait_until, is_clean)


async def test_a_model_that_another_has_put_in_the_place_of_what_was_written_is_not_published(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed again, so that every checksum passes, while it is on its way to its place."""
    project = await workshop.project(training=6, test=2)
    stage = LocalStorage.stage

    def exchange(self: LocalStorage, source: Path, *args: Any) -> Any:
        classes = source / "classifier" / "classes.json"
        rewrite_json(source, "classifier/classes.json", json.loads(classes.read_bytes())[::-1])
        return stage(self, source, *args)

    monkeypatch.setattr(LocalStorage, "stage", exchange)
    with pytest.raises(WorkerError, match="another model than the one that was written") as raised:
        await workshop.train(project)
    assert raised.value.code == "STORAGE_ERROR"
    assert await workshop.rows("SELECT 1 FROM model WHERE status = 'ready'") == []

    monkeypatch.undo()
    assert (await workshop.train(project)).model_version > 1


async def test_what_is_being_read_back_when_a_task_is_stopped_does_not_stay(
    workshop: Workshop,
) -> None:
    halting = Halting()
    lent: list[Path] = []
    # Kept: that nobody uses it any more must not be what closes it.
    reading: list[AbstractContextManager[Path]] = []

    @contextmanager
    def read_slowly() -> Iterator[Path]:
        with temporary_folder() as folder:
            lent.append(folder)
            halting.halt()
            yield folder

    class Lying:
        def reading(self) -> AbstractContextManager[Path]:
            reading.append(read_slowly())
            return reading[-1]

        def publish(self) -> None: ...

        def withdraw(self) -> None: ...

        def close(self) -> None: ...

    async def work() -> None:
        await verify_staged(workshop.context(), Lying(), "0" * 64)

    await halting.cancel(asyncio.create_task(work()))
    (folder,) = lent
    assert folder.parent == own_temporary_directory("lexiclass-scratch")
    await asyncio.to_thread(wait_until, lambda: not folder.exists())
