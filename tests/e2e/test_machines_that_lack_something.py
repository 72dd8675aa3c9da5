"""Workers on machines that lack room, folders or accounts: they work, or say at start why not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded.process import free_port
from tests.support.house import House
from tests.support.own_mounts import in_own_mounts, require_own_mounts

COMMAND = str(Path(sys.executable).with_name("lexiclass-worker"))

READ_ONLY_SHARED_MEMORY = "mount -t tmpfs -o ro tmpfs /dev/shm"
FULL_SHARED_MEMORY = (
    "mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full"
)
SMALL_SHARED_MEMORY = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
NO_SHARED_MEMORY = """
    mkdir -p {tmp}/dev && mount -t tmpfs tmpfs {tmp}/dev &&
    cp -a /dev/null /dev/zero /dev/urandom /dev/random {tmp}/dev && mount --move {tmp}/dev /dev
"""
# Other mounts stay as they are: those of /tmp and /var/tmp, if they are any.
NO_TEMPORARY_FOLDER = """
    mount --rbind / / && mount -o remount,bind,ro / && cd / &&
    for folder in /tmp /var/tmp /usr/tmp; do
        if [ -w $folder ]; then mount --bind $folder $folder; mount -o remount,bind,ro $folder; fi
    done
"""


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("mounts", "told"),
    [
        pytest.param(
            READ_ONLY_SHARED_MEMORY,
            ("/dev/shm", "Read-only", "--shm-size"),
            id="read-only",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FULL_SHARED_MEMORY,
            ("/dev/shm", "No space left", "--shm-size"),
            id="full",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            SMALL_SHARED_MEMORY,
            ("/dev/shm", "64 KiB", "--shm-size"),
            id="small",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            NO_SHARED_MEMORY,
            ("/dev/shm", "No such file", "--shm-size"),
            id="no /dev/shm",
            marks=pytest.mark.slow,
        ),
        pytest.param(NO_TEMPORARY_FOLDER, ("temporary files", "set TMPDIR"), id="no /tmp"),
    ],
)
def test_workers_that_miss_something_end_at_start_with_one_line(
    tmp_path: Path, mounts: str, told: tuple[str, ...]
) -> None:
    require_own_mounts()
    environment = export_environment(
        {
            "DATABASE_URI": "postgresql+asyncpg://u:p@127.0.0.1:1/x",
            "METRICS__PORT": str(free_port()),
        }
    )
    environment.pop("TMPDIR", None)
    command = in_own_mounts(mounts.format(tmp=tmp_path), COMMAND, "run")
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert [words for words in told if words not in line] == []


@pytest.mark.slow
def test_a_boot_that_fails_ends_the_group_and_names_the_cause(
    own_house: House, tmp_path: Path
) -> None:
    blocker = tmp_path / "a file"
    blocker.write_text("where a folder should be")
    project = own_house.project(training=2, test=0)
    message_id = own_house.send_training(project)
    environment = {
        **own_house.environment,
        "METRICS__DIRECTORY": str(blocker / "metrics"),
        "METRICS__PORT": str(free_port()),
        "LOG_FORMAT": "text",
    }
    done = subprocess.run(
        [COMMAND, "run"], env=export_environment(environment),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "cannot start" in line]
    assert f"METRICS__DIRECTORY: cannot make {blocker}/metrics: Not a directory" in line
    assert "Traceback" not in done.stderr
    assert own_house.database.task(message_id) is None
    assert own_house.sender.size("training") == 1


@pytest.mark.slow
def test_the_way_of_a_task_needs_no_short_tmpdir_and_survives_its_cleaners(
    own_house: House, tmp_path: Path
) -> None:
    folder = tmp_path / ("d" * 90)
    folder.mkdir()
    own_house.environment["TMPDIR"] = str(folder)
    project = own_house.project(training=2, test=1)
    with own_house.worker(SANDBOX__IDLE_S="0.1"):
        own_house.train(project)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        assert own_house.train(project)["result"]["model_version"] == 2
        own_house.database.succeeded(own_house.send_prediction(project, project.test_ids))


@pytest.mark.slow
def test_tasks_go_on_where_shared_memory_is_full(own_house: House) -> None:
    require_own_mounts()
    project = own_house.project(training=2, test=1)
    command = in_own_mounts("mount -t tmpfs -o size=1m tmpfs /dev/shm", COMMAND, "run")
    with own_house.worker(command=command, SANDBOX__PROCESSES="2") as group:
        fill = "cat /dev/zero > /dev/shm/full"
        subprocess.run(
            ["nsenter", "--mount", f"--target={group.process.pid}", "sh", "-c", fill],
            check=False,
            capture_output=True,
        )
        own_house.database.succeeded(
            own_house.send("index_documents", project_id=project.project_id)
        )
        own_house.train(project)
        own_house.database.succeeded(own_house.send_prediction(project, project.test_ids))


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another account")
def test_an_account_that_nobody_knows_and_without_a_home_runs_workers(own_house: House) -> None:
    project = own_house.project(training=2, test=1)
    for path in (own_house.directory, *own_house.directory.rglob("*")):
        path.chmod(0o777)
    # As OpenShift runs containers. The capability opens the folders above the tests and Python,
    # which may be root's own; it lets nothing be written.
    account = [
        *("setpriv", "--reuid=61234", "--regid=0", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
        *("env", "--unset=HOME", "--unset=USER", "--unset=LOGNAME"),
    ]
    with own_house.worker(command=[*account, COMMAND, "run"]):
        own_house.train(project)
        own_house.database.succeeded(own_house.send_prediction(project, project.test_ids))


@pytest.mark.slow
def test_a_storage_that_is_empty_where_files_are_expected_is_refused_and_not_made(
    own_house: House,
) -> None:
    own_house.project(training=2, test=0)
    mistyped = own_house.directory / "storrage"
    environment = export_environment(
        {
            **own_house.environment,
            "STORAGE__BASE_PATH": str(mistyped),
            "METRICS__PORT": str(free_port()),
            "LOG_FORMAT": "text",
        }
    )

    started = subprocess.run(
        [COMMAND, "run"], env=environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert started.returncode == 2, started.stderr
    (line,) = [line for line in started.stderr.splitlines() if "cannot start" in line]
    assert f"STORAGE__BASE_PATH {mistyped} is empty or not there" in line
    assert "Traceback" not in started.stderr
    assert not mistyped.exists()


@pytest.mark.slow
def test_a_storage_that_vanishes_is_an_error_of_the_storage_and_is_not_made_anew(
    own_house: House,
) -> None:
    project = own_house.project(training=2, test=1)
    away = own_house.storage.with_name("unmounted")
    with own_house.worker(RETRIES__MAX_ATTEMPTS="2"):
        own_house.train(project)
        own_house.storage.rename(away)
        for message_id in (
            own_house.send_prediction(project, project.test_ids),
            own_house.send("index_documents", project_id=project.project_id),
            own_house.send_training(project),
        ):
            error = own_house.database.failed(message_id)["error"]
            assert (error["code"], error["retryable"]) == ("STORAGE_ERROR", True)
            assert error["details"]["path"] == str(own_house.storage)
        assert not own_house.storage.exists()
        away.rename(own_house.storage)
        own_house.database.succeeded(own_house.send_prediction(project, project.test_ids))
