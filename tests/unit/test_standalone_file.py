"""The settings of a running standalone, as other commands in its folder find them."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_worker.config import ConfigurationError, list_variables, load_settings
from lexiclass_worker.standalone_file import read_standalone_file, standalone_file

WRITTEN = {
    "DATABASE_URI": "postgresql://lexi:secret@127.0.0.1:5433/lexiclass",
    "DRAMATIQ__BROKER_URL": "redis://127.0.0.1:6390/0",
    "STORAGE__BASE_PATH": "/data of mine/storage",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in list_variables():
        monkeypatch.delenv(variable.name, raising=False)
    return tmp_path / ".standalone.env"


def test_commands_find_the_settings_while_it_runs_and_say_so_when_it_does_not(folder: Path) -> None:
    with standalone_file(WRITTEN) as problem:
        assert problem == ""
        assert stat.S_IMODE(folder.stat().st_mode) == 0o600
        settings = load_settings()
        assert settings.require_database_uri() == WRITTEN["DATABASE_URI"]
        assert settings.dramatiq.broker_url.get_secret_value() == WRITTEN["DRAMATIQ__BROKER_URL"]
        assert settings.storage.base_path == WRITTEN["STORAGE__BASE_PATH"]

    with pytest.raises(ConfigurationError, match=r"standalone`.* is not running: start it again"):
        load_settings().require_database_uri()
    assert "secret" not in folder.read_text()


def test_a_process_that_is_killed_does_not_run_any_more(folder: Path) -> None:
    script = (
        "import time\n"
        "from lexiclass_worker.standalone_file import standalone_file\n"
        "with standalone_file({'DATABASE_URI': 'postgresql://h/d'}):\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        found = read_standalone_file()
        assert found is not None
        assert found.is_running
        writer.kill()
    found = read_standalone_file()
    assert found is not None
    assert (found.is_running, found.variables) == (False, {})
    assert load_settings().database_uri is None


def test_a_database_that_is_named_wins_with_all_that_goes_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URI", "postgresql://elsewhere/d")
    with standalone_file(WRITTEN):
        settings = load_settings()
    assert settings.require_database_uri() == "postgresql://elsewhere/d"
    assert settings.dramatiq.broker_url.get_secret_value() == "redis://localhost:6379/0"


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_other_settings_that_are_given_win_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "environment":
        monkeypatch.setenv("STORAGE__BASE_PATH", "/mine")
    else:
        Path(".env").write_text("STORAGE__BASE_PATH=/mine\n")
    with standalone_file(WRITTEN):
        settings = load_settings()
    assert settings.storage.base_path == "/mine"
    assert settings.require_database_uri() == WRITTEN["DATABASE_URI"]


def test_a_second_one_in_the_folder_leaves_the_file_of_the_first(folder: Path) -> None:
    with standalone_file(WRITTEN), standalone_file({"DATABASE_URI": "other"}) as problem:
        assert "another one that runs in this folder" in problem
        assert load_settings().require_database_uri() == WRITTEN["DATABASE_URI"]


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    folder.mkdir()
    with standalone_file(WRITTEN) as problem:
        assert problem == ".standalone.env: Is a directory"


def test_a_link_or_a_file_of_another_account_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    with standalone_file(WRITTEN, path=elsewhere):
        folder.symlink_to(elsewhere)
        assert read_standalone_file() is None
        assert read_standalone_file(elsewhere) is not None
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        assert read_standalone_file(elsewhere) is None


@pytest.mark.parametrize("value", ["it's", "back\\slash", "$HOME", "a # b", " spaced ", "", 'a"b'])
def test_values_come_back_as_they_were(folder: Path, value: str) -> None:
    with standalone_file({"STORAGE__BASE_PATH": value}):
        found = read_standalone_file()
    assert found is not None
    assert found.variables == {"STORAGE__BASE_PATH": value}
