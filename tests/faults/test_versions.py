"""Processes that are killed while a version comes, and while one goes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from lexiclass import verify_model
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.queue_config import QueueName
from lexiclass_core.versions import Author
from lexiclass_worker.admin import pruning
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.pruning import Verdict
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.config import export_environment, make_settings
from lexiclass_worker.worker_group import WorkerGroup, dramatiq_command
from tests.support.house import House, fingerprint
from tests.support.processes import sandbox_children, stopped, worker_processes
from tests.support.workers import wait_until

CLI = Path(sys.executable).with_name("lexiclass-worker")
QUICK = {"DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000", "RECONCILER__INTERVAL_S": "0.5"}
MODEL = "SELECT version, status, trained_at, manifest FROM model"
WAITING = (
    "SELECT pid FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@contextmanager
def nobody_writes(house: House, table: str) -> Iterator[None]:
    """Stops a task after it has put its files in their place, and before its commit.

    For a training the table is that of the history, for a prediction that of the predictions.
    """
    with asyncio.Runner() as runner:
        engine = create_engine(house.environment["DATABASE_URI"], application_name="lock")
        session = create_session_factory(engine)()
        runner.run(session.execute(text(f"LOCK TABLE {table} IN SHARE MODE")))
        yield
        runner.run(session.close())
        runner.run(engine.dispose())


@pytest.mark.slow
def test_a_training_killed_between_its_files_and_its_rows_leaves_no_ready_version(
    own_house: House,
) -> None:
    project = own_house.project(training=4, test=1)
    directory = own_house.model_directory(project, 1)
    with own_house.worker(QUICK) as group:
        with nobody_writes(own_house, "model_event"):
            message_id = own_house.send_training(project)
            wait_until((directory / "manifest.json").is_file)
            assert own_house.model_status(project) == "training"
            os.killpg(group.process.pid, signal.SIGKILL)
            group.process.wait(60)
        half_done = own_house.database.row(MODEL)
        assert half_done == {"version": 1, "status": "training", "trained_at": None, "manifest": {}}
        assert own_house.database.rows("SELECT * FROM model_event") == []
    # What lies there serves nobody, and is replaced by whoever takes trainings.
    command = dramatiq_command(processes=1, threads=1, queues=(QueueName.PREDICTION,))
    with own_house.worker(QUICK, command=command):
        prediction = own_house.send_prediction(project, None)
        error = own_house.database.failed(prediction)["error"]
        assert error["code"] == "NO_READY_MODEL"
    with own_house.worker(QUICK):
        task = own_house.database.succeeded(message_id)
    assert (task["attempts"], task["result"]["model_version"]) == (2, 1)
    ready = own_house.database.rows(MODEL)
    assert [(row["version"], row["status"]) for row in ready] == [(1, "ready")]
    manifest = verify_model(directory)
    assert manifest.training_digest == ready[0]["manifest"]["training_digest"]
    assert len(own_house.database.rows("SELECT * FROM model_event")) == 1


@pytest.mark.slow
def test_a_training_that_stalls_beside_its_files_leaves_those_of_the_one_that_took_over(
    own_house: House,
) -> None:
    project = own_house.project(training=4, test=1)
    directory = own_house.model_directory(project, 1)
    with own_house.worker(QUICK, threads=1) as stalled:
        with nobody_writes(own_house, "model_event"):
            message_id = own_house.send_training(project)
            wait_until((directory / "manifest.json").is_file)
            half_done = directory.stat().st_ino
            wait_until(lambda: own_house.database.rows(WAITING))
            workers = suspend(stalled)
        # PostgreSQL has half of a statement then, and waits for the rest with the task locked.
        with own_house.worker(QUICK, threads=1):
            task = own_house.database.succeeded(message_id)
            files = fingerprint(directory)
            assert directory.stat().st_ino != half_done
            assert (task["attempts"], task["crashes"]) == (2, 1)

            wake_up(workers)
            wait_until(lambda: f"the lease of task {task['id']} is lost" in log_of(stalled))
            own_house.wait_settled()

            assert fingerprint(directory) == files
            prediction = own_house.send_prediction(project, None)
            own_house.database.succeeded(prediction)
    assert own_house.database.task(message_id) == task
    (row,) = own_house.database.rows(MODEL)
    assert (row["version"], row["status"]) == (1, "ready")
    assert verify_model(directory).training_digest == row["manifest"]["training_digest"]
    own_house.wait_tidy()


@pytest.mark.slow
def test_a_prediction_that_stalls_beside_its_history_leaves_that_of_the_one_that_took_over(
    own_house: House,
) -> None:
    project = own_house.project(training=4, test=1)
    with own_house.worker(QUICK, threads=1) as stalled:
        own_house.train(project)
        with nobody_writes(own_house, "prediction"):
            own_house.send_prediction(project, None, message_id="predicted")
            folder = own_house.storage / f"{project.project_id}/predictions/{project.field_id}/v1"
            history = folder / "predicted.jsonl"
            wait_until(history.is_file)
            half_done = history.stat().st_ino
            workers = suspend(stalled)
            end_transactions_that_wait(own_house)
        with own_house.worker(QUICK, threads=1):
            task = own_house.database.succeeded("predicted")
            files = fingerprint(folder)
            assert history.stat().st_ino != half_done
            assert (task["attempts"], task["crashes"]) == (2, 1)

            wake_up(workers)
            wait_until(lambda: f"the lease of task {task['id']} is lost" in log_of(stalled))
            own_house.wait_settled()

    assert fingerprint(folder) == files
    assert len(history.read_text().splitlines()) == len(project.document_ids)
    assert own_house.database.task("predicted") == task
    rows = own_house.database.rows("SELECT document_id FROM prediction ORDER BY document_id")
    assert [row["document_id"] for row in rows] == project.document_ids
    own_house.wait_tidy()


def end_transactions_that_wait(house: House) -> None:
    """What an administrator does, or a server that is started again."""
    house.database.rows(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")


def suspend(group: WorkerGroup) -> list[psutil.Process]:
    """Stop the master and the workers of a group, and not what they have started."""
    workers = worker_processes(group.process.pid)
    for process in workers:
        process.suspend()
    return workers


def wake_up(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.resume()


def log_of(group: WorkerGroup) -> str:
    return group.log.read_text()


def prune(house: House, field_id: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [CLI, "models", "prune", str(field_id), "--keep", "1", "--yes"],
        env=export_environment(house.environment),
        cwd=house.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_a_pruning_that_is_killed_is_finished_by_the_next_one(own_house: House) -> None:
    project = own_house.project(labels=(), training=0, test=0)
    for version in (1, 2):
        own_house.database.execute(
            "INSERT INTO model (field_id, version, status) VALUES (:f, :v, 'ready')",
            f=project.field_id,
            v=version,
        )
        own_house.model_directory(project, version).mkdir(parents=True)
    old, new = (own_house.model_directory(project, version) for version in (1, 2))
    (new / "manifest.json").write_text("kept")
    # So many files that their removal takes a while.
    for number in range(10_000):
        (old / str(number)).touch()

    killed = prune(own_house, project.field_id)
    wait_until(lambda: sum(1 for _ in old.iterdir()) < 10_000, poll_s=0.001)
    killed.kill()
    killed.communicate()

    assert killed.returncode == -signal.SIGKILL
    assert old.exists()
    row = own_house.database.row("SELECT * FROM model WHERE version = 1")
    assert row is not None
    assert (row["pruned_at"] is not None, row["files_removed_at"]) == (True, None)

    again = prune(own_house, project.field_id)
    output, _ = again.communicate(timeout=60)

    assert (again.returncode, old.exists()) == (0, False), output
    assert (new / "manifest.json").read_text() == "kept"
    row = own_house.database.row("SELECT * FROM model WHERE version = 1")
    assert row is not None
    assert row["files_removed_at"] is not None
    actions = own_house.database.rows("SELECT version, action FROM model_event ORDER BY id")
    assert [(r["version"], r["action"]) for r in actions] == [(1, "retired"), (1, "pruned")]


@pytest.mark.slow
def test_a_version_that_is_pruned_while_a_prediction_uses_it_goes_after_that(
    own_house: House,
) -> None:
    project = own_house.project(labels=("animals", "vehicles"), training=2, test=1)
    old = own_house.model_directory(project, 1)
    with own_house.worker(QUICK) as group:
        own_house.train(project)
        own_house.make_slow(project)
        message_id = own_house.send_prediction(project, project.training_ids)
        task = own_house.database.wait_for_task(message_id, "started")
        wait_until(lambda: (own_house.database.task(message_id) or {})["stage"] == "predict")
        # It lasts as long as the test needs it to, however busy the machine is.
        with stopped(*sandbox_children(group.process.pid)):
            # A newer one is there, and the old one not needed any more.
            own_house.database.execute(
                "INSERT INTO model (field_id, version, status) VALUES (:f, 2, 'ready')",
                f=project.field_id,
            )
            (verdict,) = (v for v in prune_now(own_house, project.field_id) if v.version == 1)
            assert (verdict.outcome, str(task["id"]) in verdict.reason) == ("waits", True)
            verify_model(old)

        predicted = own_house.database.succeeded(message_id)
        wait_until(lambda: not old.exists())
    assert predicted["result"]["model_version"] == 1
    assert predicted["result"]["predictions_created"] == len(project.training_ids)
    row = own_house.database.row("SELECT * FROM model WHERE version = 1")
    assert row is not None
    assert predicted["finished_at"] < row["files_removed_at"]


def prune_now(house: House, field_id: int) -> list[Verdict]:
    async def run() -> list[Verdict]:
        engine = create_engine(house.environment["DATABASE_URI"])
        context = AdminContext(
            sessions=create_session_factory(engine),
            storage=LocalStorage(house.storage),
            settings=make_settings(house.environment),
        )
        done = await pruning.prune(context, field_id, Author("anna"), keep=1)
        await engine.dispose()
        return done

    return asyncio.run(run())
