"""A storage belongs to one database, and a worker or an import of another one stays out of it."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lexiclass_core.documents import ForeignStorage, adding
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.middleware.stored_files import StoredFiles
from lexiclass_worker.telemetry.checks.files import check_storage
from tests.support.services import Workshop

KEY = "SELECT key::text FROM installation"
BECOMES_ANOTHER = "UPDATE installation SET key = gen_random_uuid()"


async def boot(workshop: Workshop, path: Path | None = None) -> None:
    """What a worker does of this at its start."""
    storage = LocalStorage(path or workshop.path, makes_root=False)
    database: Any = SimpleNamespace(sessions=workshop.sessions)
    await StoredFiles(database, storage)._look()


def owner(path: Path) -> Any:
    return json.loads((path / ".database.json").read_text())["key"]


async def key(workshop: Workshop) -> str:
    return str((await workshop.row(KEY))["key"])


async def test_a_new_storage_is_marked_by_whoever_starts_first(workshop: Workshop) -> None:
    await asyncio.gather(*(boot(workshop) for _ in range(8)))

    assert owner(workshop.path) == await key(workshop)
    await boot(workshop)


async def test_a_storage_from_before_there_were_marks_is_marked_where_it_has_the_projects(
    workshop: Workshop,
) -> None:
    await workshop.project(training=2, test=0)

    await boot(workshop)

    assert owner(workshop.path) == await key(workshop)


async def test_a_storage_with_files_of_other_projects_only_is_refused(
    workshop: Workshop, tmp_path: Path
) -> None:
    project = await workshop.project(training=2, test=0)
    wrong = tmp_path / "wrong"
    (wrong / str(project.project_id + 1) / "documents").mkdir(parents=True)

    with pytest.raises(ConfigurationError, match="has files of other projects only"):
        await boot(workshop, wrong)

    assert not (wrong / ".database.json").exists()


async def test_the_storage_of_another_database_is_refused_and_both_are_named(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=2, test=0)
    await boot(workshop)
    theirs = await key(workshop)
    await workshop.execute(BECOMES_ANOTHER)
    before = sorted(workshop.path.rglob("*"))

    with pytest.raises(ConfigurationError) as raised:
        await boot(workshop)
    addition = adding(workshop.sessions.begin, workshop.storage, project.project_id)
    with pytest.raises(ForeignStorage):
        await addition.__aenter__()

    for named in (theirs, await key(workshop), str(workshop.path), ".database.json"):
        assert named in str(raised.value)
    assert sorted(workshop.path.rglob("*")) == before
    check = await asyncio.to_thread(check_storage, workshop.settings)
    assert (check.ok, "is that of database" in check.reason) == (False, True)
    # The way out that the message names.
    (workshop.path / ".database.json").unlink()
    await boot(workshop)
    assert (await asyncio.to_thread(check_storage, workshop.settings)).ok


async def test_a_mark_that_cannot_be_read_stops_no_worker(workshop: Workshop) -> None:
    await workshop.project(training=2, test=0)
    (workshop.path / ".database.json").write_bytes(b"\xff{")
    await boot(workshop)
    assert owner(workshop.path) == await key(workshop)
    (workshop.path / ".database.json").unlink()
    (workshop.path / ".database.json").mkdir()

    await boot(workshop)
