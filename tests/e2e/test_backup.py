"""A backup under load, restored on other servers and in another folder: docs/DEPLOYMENT.md."""

import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from lexiclass_core.client import TaskClient
from lexiclass_core.queue_config import QueueName
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


NOTED = "SELECT array_agg(name) FROM backup"

LOCKS = (
    "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE locktype = 'advisory' AND datname = current_database()"
)


@contextmanager
def held_up(house: House) -> Iterator[None]:
    """No dump gets further than to the first table, until the end of the ``with`` block."""
    blocked = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'blocker' "
        "AND wait_event = 'PgSleep'"
    )
    variables = variables_for(house.environment["DATABASE_URI"], house.storage)
    lock = "BEGIN; LOCK TABLE document; SELECT pg_sleep(600)"
    with subprocess.Popen(
        ["psql", "--command", lock], env={**variables, "PGAPPNAME": "blocker"}
    ) as blocker:
        try:
            wait_until(lambda: house.database.rows(blocked))
            yield
        finally:
            blocker.terminate()
            house.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'blocker'"
            )


def until_dumping(house: House) -> None:
    """Until a dump waits for who holds it up."""
    dumping = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_dump' "
        "AND wait_event = 'relation'"
    )
    wait_until(lambda: house.database.rows(dumping))


@contextmanager
def begun(house: House, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A backup in the middle of its dump; at the end of the ``with`` block it has ended."""
    variables = variables_for(house.environment["DATABASE_URI"], house.storage)
    command = ["/bin/sh", f"{SCRIPTS}/backup.sh", f"{folder}"]
    with ExitStack() as ends:
        with held_up(house):
            backup = ends.enter_context(subprocess.Popen(command, env=variables))
            ends.callback(backup.kill)
            until_dumping(house)
            yield backup
        backup.wait(60)


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
    assert own_house.database.value(NOTED) == [backup.name]

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
        assert restored.database.value(NOTED) == [backup.name]
        # Those of the other machine are not missed here.
        assert restored.database.value("SELECT count(*) FROM worker") == 0
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
        assert done.returncode == 75
        assert "set WAIT_S" in done.stderr
        assert list(backups.iterdir()) == []
        assert own_house.database.value(NOTED) is None
        assert own_house.database.rows("SELECT queue, reason FROM queue_pause") == [
            {"queue": "bulk", "reason": "mine"}
        ]
        own_house.database.succeeded(message)


def service_command(backups: Path) -> str:
    """The command of compose.prod.yaml, which makes one backup after the other."""
    services = yaml.safe_load((ROOT / "compose.prod.yaml").read_text().replace("!reset ", ""))
    (command,) = services["services"]["backup"]["command"]
    script = f"{SCRIPTS}/backup.sh {backups}"
    return str(command).replace("$$", "$").replace("/backup/backup.sh /backups", script)


@pytest.mark.slow
def test_a_task_that_writes_for_longer_than_its_lease_lasts_is_waited_for(own_house: House) -> None:
    own_house.database.execute(
        "INSERT INTO task (message_id, type, status, lease_owner, lease_token, lease_expires_at) "
        "VALUES ('m', 'index_documents', 'started', 'box:7:a', 1, now() - interval '1 minute')"
    )
    backups = own_house.directory / "backups"
    variables = variables_for(own_house.environment["DATABASE_URI"], own_house.storage)
    held = "BEGIN; SELECT id FROM task FOR UPDATE; SELECT pg_sleep(600)"
    waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with subprocess.Popen(["psql", "--command", held], env=variables) as writer:
        try:
            wait_until(lambda: own_house.database.rows(waits))
            assert back_up(own_house, backups, WAIT_S="1").returncode == 75
        finally:
            writer.terminate()
            own_house.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event = 'PgSleep'"
            )
    # Nobody has the row any more: its worker is gone.
    done = back_up(own_house, backups, WAIT_S="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_backup_that_is_told_to_end_lets_the_queues_go_on_at_once(own_house: House) -> None:
    """By the command of compose.prod.yaml, in the middle of a dump that would go on for long."""
    backups, paused = own_house.directory / "backups", "SELECT count(*) FROM queue_pause"
    command = service_command(backups)
    variables = variables_for(own_house.environment["DATABASE_URI"], own_house.storage)
    with (
        held_up(own_house),
        subprocess.Popen(["/bin/sh", "-c", command], env=variables) as service,
    ):
        try:
            until_dumping(own_house)
            assert own_house.database.value(paused) == 4
            service.terminate()
            service.wait(60)
            assert own_house.database.value(paused) == 0
            assert list(backups.iterdir()) == []
        finally:
            service.kill()


@pytest.mark.slow
def test_the_service_tries_a_backup_that_failed_again_before_a_day_is_over(
    own_house: House,
) -> None:
    """An hour later, which is three seconds here."""
    backups, log = own_house.directory / "backups", own_house.directory / "service.log"
    command = service_command(backups).replace("pause=3600", "pause=3")
    own_house.database.execute("ALTER TABLE queue_pause RENAME TO queue_pause_of_later")
    variables = variables_for(own_house.environment["DATABASE_URI"], own_house.storage)
    with (
        log.open("wb") as output,
        subprocess.Popen(["/bin/sh", "-c", command], env=variables, stderr=output) as service,
    ):
        try:
            wait_until(lambda: "PostgreSQL could not be asked" in log.read_text())
            own_house.database.execute("ALTER TABLE queue_pause_of_later RENAME TO queue_pause")
            wait_until(lambda: own_house.database.value(NOTED) is not None)
        finally:
            service.terminate()
            service.wait(60)


@contextmanager
def changing(storage: Path) -> Iterator[None]:
    """Files come and go in a storage, as a look whether it works, and an import, have them."""
    ended = Event()

    def change() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            trace = storage / f".lexiclass-check-{number}"
            trace.write_bytes(bytes(2**16))
            trace.replace(storage / f"{trace.name}.renamed").unlink()
            (storage / f"imported-{number % 50}").write_bytes(bytes(number % 2**16))

    thread = Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_files_that_come_and_go_meanwhile_are_in_no_backups_way(own_house: House) -> None:
    project = own_house.project()
    # Enough to read for something to change meanwhile.
    large = own_house.storage / str(project.project_id) / "large"
    large.write_bytes(bytes(64 * 2**20))
    backups = own_house.directory / "backups"
    with changing(own_house.storage):
        for _ in range(3):
            done = back_up(own_house, backups, KEEP="1")
            assert done.returncode == 0, done.stderr
    (backup,) = backups.iterdir()
    restored = own_house.directory / "restored"

    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-other-") as other,
        embedded_servers(Path(other), durable=False) as servers,
    ):
        done = run_script("restore.sh", backup, servers.database_uri, restored)

    assert done.returncode == 0, done.stderr
    assert (restored / large.relative_to(own_house.storage)).stat().st_size == 64 * 2**20
    assert list(restored.glob(".lexiclass-check-*")) == []
    document = own_house.document_file(project, project.test_ids[0])
    assert (restored / document.relative_to(own_house.storage)).read_bytes() == (
        document.read_bytes()
    )


@pytest.mark.slow
def test_what_a_file_system_keeps_for_itself_is_neither_copied_nor_in_a_restores_way(
    own_house: House,
) -> None:
    own_house.project()
    (own_house.storage / "lost+found").mkdir(mode=0o700)
    kept = own_house.storage / "1" / "lost+found"
    kept.mkdir(parents=True, exist_ok=True)
    backups, restored = own_house.directory / "backups", own_house.directory / "restored"
    done = back_up(own_house, backups)
    assert done.returncode == 0, done.stderr
    (backup,) = backups.iterdir()
    listed = subprocess.check_output(["tar", "--list", "--file", backup / "storage.tar"], text=True)
    assert "./lost+found/" not in listed.splitlines()
    assert "./1/lost+found/" in listed.splitlines()
    (restored / "lost+found").mkdir(parents=True, mode=0o700)

    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-other-") as other,
        embedded_servers(Path(other), durable=False) as servers,
    ):
        in_use = own_house.directory / "in-use"
        (in_use / "1").mkdir(parents=True)
        refused = run_script("restore.sh", backup, servers.database_uri, in_use)
        done = run_script("restore.sh", backup, servers.database_uri, restored)

    assert (refused.returncode, "is not empty" in refused.stderr) == (1, True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_what_cannot_be_copied_leaves_no_backup_and_is_named(own_house: House) -> None:
    backups = own_house.directory / "backups"
    uri = own_house.environment["DATABASE_URI"]

    storage = run_script("backup.sh", backups, uri, own_house.storage / "not-there")
    nobody = back_up(own_house, backups, PGHOST="/nowhere", PGPORT="1")
    own_house.database.execute("ALTER TABLE queue_pause RENAME TO queue_pause_of_later")
    tables = back_up(own_house, backups)
    own_house.database.execute("ALTER TABLE queue_pause_of_later RENAME TO queue_pause")

    assert [done.returncode for done in (storage, nobody, tables)] == [1, 1, 1]
    assert "backup: the storage could not be copied" in storage.stderr
    assert "backup: PostgreSQL cannot be reached" in nobody.stderr
    assert "backup: PostgreSQL could not be asked" in tables.stderr
    assert list(backups.iterdir()) == []
    assert own_house.database.value("SELECT count(*) FROM queue_pause") == 0


@pytest.mark.slow
def test_a_dump_that_fails_leaves_no_backup_and_is_named(own_house: House) -> None:
    backups, log = own_house.directory / "backups", own_house.directory / "backup.log"
    variables = variables_for(own_house.environment["DATABASE_URI"], own_house.storage)
    command = ["/bin/sh", f"{SCRIPTS}/backup.sh", f"{backups}"]
    with (
        held_up(own_house),
        log.open("wb") as output,
        subprocess.Popen(command, env=variables, stderr=output) as backup,
    ):
        until_dumping(own_house)
        own_house.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'pg_dump'"
        )
        assert backup.wait(60) == 1
    assert "backup: the database could not be copied" in log.read_text()
    assert list(backups.iterdir()) == []
    assert own_house.database.value("SELECT count(*) FROM queue_pause") == 0


@pytest.mark.slow
def test_a_restore_that_may_make_no_tables_can_be_done_again(own_house: House) -> None:
    """Under another name of the folder, into the database that the role has by default."""
    backups, restored = own_house.directory / "backups", own_house.directory / "restored"
    own_house.project()
    assert back_up(own_house, backups).returncode == 0
    (backup,) = backups.iterdir()
    name, made = backup.name, own_house.database.value("SELECT max(created_at) FROM backup")
    backup = backup.rename(backups / "last")

    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-other-") as other,
        embedded_servers(Path(other), durable=False) as servers,
    ):
        variables = variables_for(servers.database_uri, restored)
        of_mover = {**variables, "PGUSER": "mover", "PGPASSWORD": "secret"}
        del of_mover["PGDATABASE"]

        def ask(question: str, database: str) -> str:
            command = ["psql", "--tuples-only", "--no-align", "--command", question, database]
            return subprocess.check_output(command, env=variables, text=True).strip()

        def restore() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["/bin/sh", SCRIPTS / "restore.sh", backup],
                env=of_mover,
                capture_output=True,
                text=True,
                check=False,
            )

        ask("CREATE ROLE mover LOGIN PASSWORD 'secret'", variables["PGDATABASE"])
        ask("CREATE DATABASE mover", variables["PGDATABASE"])
        refused = restore()
        assert refused.returncode == 1
        assert "GRANT CREATE ON SCHEMA public TO mover" in refused.stderr
        assert not restored.exists()
        ask("GRANT CREATE ON SCHEMA public TO mover", "mover")
        done = restore()
        assert done.returncode == 0, done.stderr
        assert ask("SELECT name FROM backup", "mover") == name
        since = ask(f"SELECT '{made}' - created_at < interval '1 hour' FROM backup", "mover")
        assert since == "t"
        assert any(restored.iterdir())
        assert ask("SELECT to_regclass('task')", variables["PGDATABASE"]) == ""


@pytest.mark.slow
def test_a_backup_that_paused_nothing_itself_is_known_by_its_folder(own_house: House) -> None:
    backups, restored = own_house.directory / "backups", own_house.directory / "restored"
    with task_client(own_house) as api:
        for queue in QueueName:
            api.queues.pause(queue)
    assert back_up(own_house, backups).returncode == 0
    (backup,) = backups.iterdir()
    name = backup.name

    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-other-") as other,
        embedded_servers(Path(other), durable=False) as servers,
    ):
        moved = backup.rename(backups / f"it's {name}")
        done = run_script("restore.sh", moved, servers.database_uri, restored)
        assert done.returncode == 0, done.stderr
        noted = subprocess.check_output(
            ["psql", "--tuples-only", "--no-align", "--command", "SELECT name FROM backup"],
            env=variables_for(servers.database_uri, restored),
            text=True,
        )
    assert noted.strip() == name


@pytest.mark.slow
def test_a_backup_that_the_tables_do_not_know_of_is_one_and_says_so(own_house: House) -> None:
    own_house.database.execute("ALTER TABLE backup RENAME TO backup_of_later")
    backups = own_house.directory / "backups"

    done = back_up(own_house, backups)

    assert done.returncode == 0
    assert "PostgreSQL has no note of it" in done.stderr
    (backup,) = backups.iterdir()
    assert str(backup) in done.stdout
    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-other-") as other,
        embedded_servers(Path(other), durable=False) as servers,
    ):
        restored = own_house.directory / "restored"
        done = run_script("restore.sh", backup, servers.database_uri, restored)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_second_backup_names_the_first_and_leaves_its_pauses(own_house: House) -> None:
    backups, others = own_house.directory / "backups", own_house.directory / "others"
    with begun(own_house, backups) as first:
        reasons = own_house.database.rows("SELECT queue, reason FROM queue_pause ORDER BY queue")
        refused = back_up(own_house, others)
        assert refused.returncode == 1
        assert f"lexiclass {reasons[0]['reason']} on {platform.node()}" in refused.stderr
        assert own_house.database.rows("SELECT queue, reason FROM queue_pause ORDER BY queue") == (
            reasons
        )
        assert list(others.iterdir()) == []
    assert first.returncode == 0
    assert own_house.database.value("SELECT count(*) FROM queue_pause") == 0
    assert back_up(own_house, others).returncode == 0


@pytest.mark.slow
def test_a_backup_that_was_killed_is_in_nobodys_way(own_house: House) -> None:
    backups = own_house.directory / "backups"
    with begun(own_house, backups) as killed:
        killed.kill()
        killed.wait()
        assert own_house.database.value("SELECT count(*) FROM queue_pause") == 4
        wait_until(lambda: not own_house.database.rows(LOCKS))
    done = back_up(own_house, backups)
    assert done.returncode == 0, done.stderr
    assert own_house.database.value("SELECT count(*) FROM queue_pause") == 0


def test_a_pause_that_somebody_makes_while_a_backup_is_made_stays(own_house: House) -> None:
    with begun(own_house, own_house.directory / "backups") as first, task_client(own_house) as api:
        api.queues.pause(QueueName.TRAINING, reason="a disk is exchanged")
        api.queues.pause(QueueName.INDEXING)
        assert len(api.queues.pauses()) == 4
    assert first.returncode == 0
    assert own_house.database.rows("SELECT queue, reason FROM queue_pause ORDER BY queue") == [
        {"queue": "indexing", "reason": None},
        {"queue": "training", "reason": "a disk is exchanged"},
    ]


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["backup", "operator"])
def test_a_copy_made_while_tasks_could_begin_is_no_backup(own_house: House, whose: str) -> None:
    backups = own_house.directory / "backups"
    with task_client(own_house) as api:
        if whose == "operator":
            api.queues.pause(QueueName.TRAINING, reason="mine")
        with begun(own_house, backups) as first:
            api.queues.resume(QueueName.TRAINING)
            api.queues.pause(QueueName.TRAINING, reason="again")
    assert first.returncode == 1
    assert list(backups.iterdir()) == []
    assert own_house.database.rows("SELECT queue, reason FROM queue_pause") == [
        {"queue": "training", "reason": "again"}
    ]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_dump_that_cannot_be_read_is_told_before_anything_is_written(own_house: House) -> None:
    """As one of a newer PostgreSQL cannot."""
    backups, elsewhere = own_house.directory / "backups", own_house.directory / "elsewhere"
    assert back_up(own_house, backups).returncode == 0
    (backup,) = backups.iterdir()
    dump = backup / "database.dump"
    # The first bytes are the format's name and, of the fourth part, its version.
    dump.write_bytes(dump.read_bytes().replace(b"PGDMP\x01", b"PGDMP\x09", 1))
    sums = subprocess.check_output(["sha256sum", "database.dump", "storage.tar"], cwd=backup)
    (backup / "SHA256SUMS").write_bytes(sums)

    done = run_script("restore.sh", backup, own_house.environment["DATABASE_URI"], elsewhere)

    assert done.returncode == 1
    assert "restore: this pg_restore cannot read the dump" in done.stderr
    assert not elsewhere.exists()
