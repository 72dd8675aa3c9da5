"""A backup under load, restored on other servers and in another folder: docs/DEPLOYMENT.md."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lexiclass_core.client import TaskClient
from lexiclass_worker.embedded import embedded_servers
from tests.support.corpora import SmallProject
from tests.support.house import House, open_house
from tests.support.measuring import Took
from tests.support.postgresql_programs import path_with_clients, variables_of
from tests.support.workers import wait_until

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "backup"


def variables_for(database_uri: str, storage: Path) -> dict[str, str]:
    return {
        **variables_of(database_uri),
        "PATH": path_with_clients(),
        "STORAGE": str(storage),
    }


def run_script(
    name: str, argument: Path, database_uri: str, storage: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", SCRIPTS / name, argument],
        env={**variables_for(database_uri, storage), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def back_up(house: House, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    uri = house.environment["DATABASE_URI"]
    return run_script("backup.sh", folder, uri, house.storage, **variables)


@contextmanager
def task_client(house: House) -> Iterator[TaskClient]:
    with TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.environment["DRAMATIQ__NAMESPACE"],
    ) as client:
        yield client


def submit_training(client: TaskClient, project: SmallProject) -> int:
    return client.train(project_id=project.project_id, field_id=project.field_id).id


def predictions(house: House, project: SmallProject) -> list[tuple[int, int, float]]:
    rows = house.database.rows(
        "SELECT document_id, class_id, confidence FROM prediction WHERE field_id = :id "
        "ORDER BY document_id",
        id=project.field_id,
    )
    return [(row["document_id"], row["class_id"], row["confidence"]) for row in rows]


@pytest.mark.slow
def test_a_backup_taken_under_load_goes_on_elsewhere_where_it_was(
    own_house: House, took: Took
) -> None:
    project = own_house.project()
    backups = own_house.directory / "backups"
    with own_house.worker(), task_client(own_house) as client:
        own_house.database.succeeded(
            own_house.send("index_documents", project_id=project.project_id)
        )
        own_house.train(project)
        own_house.database.succeeded(own_house.send_prediction(project, project.test_ids))
        submitted = [submit_training(client, project) for _ in range(12)]
        began = time.monotonic()
        done = back_up(own_house, backups, KEEP="1")
        took("a backup under load, with the trainings that it waits for", time.monotonic() - began)
        assert done.returncode == 0, done.stderr
        # What came after the backup is lost with the machine.
        submit_training(client, project)
    before = predictions(own_house, project)

    (backup,) = backups.iterdir()
    assert {file.name for file in backup.iterdir()} == {
        "database.dump", "storage.tar", "SHA256SUMS",
    }  # fmt: skip
    assert own_house.database.value("SELECT count(*) FROM queue_pause") == 0

    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-other-") as other,
        embedded_servers(Path(other), durable=False) as servers,
        open_house(servers.database_uri, servers.broker_url, Path(other) / "house") as restored,
    ):
        uri = restored.environment["DATABASE_URI"]
        began = time.monotonic()
        done = run_script("restore.sh", backup, uri, restored.storage)
        took("a backup is restored on other servers", time.monotonic() - began)
        assert done.returncode == 0, done.stderr
        again = run_script("restore.sh", backup, uri, restored.storage)
        assert (again.returncode, "has tables already" in again.stderr) == (1, True)

        assert restored.database.value("SELECT count(*) FROM queue_pause") == 0
        open_then = restored.database.value("SELECT count(*) FROM task WHERE finished_at IS NULL")
        assert open_then > 0
        with restored.worker(RECONCILER__INTERVAL_S="1"), task_client(restored) as client:
            for task_id in submitted:
                assert client.wait(task_id, timeout_s=120).status == "succeeded"
            took("from the restore to the end of all tasks in it", time.monotonic() - began)
            assert predictions(restored, project) == before
            restored.train(project)
            newest = restored.database.succeeded(
                restored.send_prediction(project, project.test_ids)
            )
            versions = restored.database.rows(
                "SELECT version, status FROM model WHERE field_id = :id ORDER BY version",
                id=project.field_id,
            )
        assert [row["version"] for row in versions] == list(range(1, len(submitted) + 3))
        assert {row["status"] for row in versions} == {"ready"}
        assert newest["result"]["model_version"] == len(submitted) + 2


@pytest.mark.slow
def test_what_runs_for_too_long_ends_a_backup_that_leaves_nothing_behind(own_house: House) -> None:
    project = own_house.slow_project()
    backups = own_house.directory / "backups"
    own_house.database.execute("INSERT INTO queue_pause (queue, reason) VALUES ('bulk', 'mine')")
    with own_house.worker() as group:
        message = own_house.send_training(project)
        process = own_house.training_process(project, group)
        process.suspend()
        try:
            done = back_up(own_house, backups, WAIT_S="1")
        finally:
            process.resume()
        assert done.returncode == 1
        assert "set WAIT_S" in done.stderr
        assert list(backups.iterdir()) == []
        assert own_house.database.rows("SELECT queue, reason FROM queue_pause") == [
            {"queue": "bulk", "reason": "mine"}
        ]
        own_house.database.succeeded(message)


def test_a_backup_that_is_told_to_end_lets_the_queues_go_on_at_once(own_house: House) -> None:
    """By the command of compose.prod.yaml, in the middle of a dump that would go on for long."""
    services = yaml.safe_load((ROOT / "compose.prod.yaml").read_text().replace("!reset ", ""))
    (command,) = services["services"]["backup"]["command"]
    backups, paused = own_house.directory / "backups", "SELECT count(*) FROM queue_pause"
    script = f"{SCRIPTS}/backup.sh {backups}"
    command = command.replace("$$", "$").replace("/backup/backup.sh /backups", script)
    variables = variables_for(own_house.environment["DATABASE_URI"], own_house.storage)
    blocked = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = :name AND wait_event = :event"
    )
    lock = "BEGIN; LOCK TABLE document; SELECT pg_sleep(600)"
    with (
        subprocess.Popen(
            ["psql", "--command", lock], env={**variables, "PGAPPNAME": "blocker"}
        ) as blocker,
        subprocess.Popen(["/bin/sh", "-c", command], env=variables) as service,
    ):
        try:
            wait_until(lambda: own_house.database.rows(blocked, name="blocker", event="PgSleep"))
            wait_until(lambda: own_house.database.rows(blocked, name="pg_dump", event="relation"))
            assert own_house.database.value(paused) == 4
            service.terminate()
            service.wait(60)
            assert own_house.database.value(paused) == 0
            assert list(backups.iterdir()) == []
        finally:
            service.kill()
            blocker.terminate()
            own_house.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name IN ('blocker', 'pg_dump')"
            )


def test_what_people_have_paused_stays_whatever_they_call_it(own_house: House) -> None:
    own_house.database.execute(
        "INSERT INTO queue_pause (queue, reason) VALUES ('bulk', 'backup of the cluster'), "
        "('training', 'backup 20260101T000000Z')"
    )
    done = back_up(own_house, own_house.directory / "backups")
    assert done.returncode == 0, done.stderr
    # The other one is that of a backup that was killed.
    assert own_house.database.rows("SELECT queue, reason FROM queue_pause") == [
        {"queue": "bulk", "reason": "backup of the cluster"}
    ]


def test_a_damaged_backup_is_not_restored(own_house: House) -> None:
    backups = own_house.directory / "backups"
    assert back_up(own_house, backups).returncode == 0
    (backup,) = backups.iterdir()
    with (backup / "storage.tar").open("ab") as file:
        file.write(b"!")

    uri = own_house.environment["DATABASE_URI"]
    done = run_script("restore.sh", backup, uri, own_house.directory / "elsewhere")

    assert done.returncode != 0
    assert "storage.tar" in done.stdout + done.stderr
