"""Where services find a project's indexes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import StorageUnavailable
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.repositories.indexes import KeptIndexes
from lexiclass_worker.services.inputs import project_indexes
from lexiclass_worker.setting_groups import StorageSettings

KEPT = KeptIndexes(takes_unknown=True)
STORE = ObjectStorage("memory://store")


def settings(**storage: object) -> Settings:
    return Settings(
        database_uri=SecretStr("postgresql+asyncpg://u@h/d"),
        storage=StorageSettings.model_validate(storage),
    )


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_indexes_on_a_disk_need_no_copies(temporary: Path) -> None:
    found = project_indexes(LocalStorage("/srv/data"), settings(), 7, KEPT)
    assert found == ProjectIndexes(root="/srv/data", project_id=7)
    assert list(temporary.iterdir()) == []


def test_copies_go_where_the_settings_say(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(temporary)
    found = project_indexes(STORE, settings(cache_directory="copies", cache_bytes=5), 7, KEPT)
    assert found.location == "memory://store/7/indexes"
    assert (found.cache_directory, found.cache_bytes) == (temporary / "copies", 5)


def test_otherwise_they_go_to_a_temporary_folder_that_is_closed_to_others(temporary: Path) -> None:
    directory = project_indexes(STORE, settings(), 7, KEPT).cache_directory
    assert directory is not None
    assert directory.parent == temporary
    assert directory.stat().st_mode & 0o777 == 0o700
    assert project_indexes(STORE, settings(), 8, KEPT).cache_directory == directory


def test_a_temporary_folder_that_somebody_else_has_made_is_not_used(temporary: Path) -> None:
    directory = project_indexes(STORE, settings(), 7, KEPT).cache_directory
    assert directory is not None
    shutil.rmtree(directory)
    (temporary / "theirs").mkdir()
    directory.symlink_to(temporary / "theirs")
    with pytest.raises(StorageUnavailable, match="STORAGE__CACHE_DIRECTORY"):
        project_indexes(STORE, settings(), 7, KEPT)
