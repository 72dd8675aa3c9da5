"""The command line against a running worker, as an operator types it."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lexiclass_worker.config import export_environment
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.corpora import make_text
from tests.support.house import House
from tests.support.processes import stopped

CLI = Path(sys.executable).with_name("lexiclass-worker")


def run_cli(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLI, *arguments],
        env=export_environment(house.environment),
        cwd=house.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def cli_json(house: House, *arguments: str, status: int = 0) -> Any:
    done = run_cli(house, *arguments, "--json")
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def imported(house: House) -> dict[str, Any]:
    """A project that ``project import`` made."""
    corpus = house.directory / "corpus.jsonl"
    records = [
        {
            "text": make_text(label, number),
            "label": label,
            "split": "test" if number % 4 == 0 else "train",
        }
        for number in range(20)
        for label in ("animals", "vehicles")
    ]
    corpus.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    report: dict[str, Any] = cli_json(
        house, "project", "import", str(corpus), "--name", "typed", "--field", "topic"
    )
    return report


def test_an_imported_project_goes_all_the_way_by_commands(
    house: House, imported: dict[str, Any]
) -> None:
    assert (imported["num_training"], imported["num_test"]) == (30, 10)
    project, field = str(imported["project_id"]), str(imported["field_id"])

    assert cli_json(house, "index", project, "--wait")["result"]["num_documents"] == 40
    trained = cli_json(house, "train", project, field, "--features", "tfidf", "--wait")
    assert trained["status"] == "succeeded"
    assert trained["result"]["metrics"]["feature_extractor"] == "tfidf"
    evaluated = cli_json(house, "evaluate", project, field, "--wait")
    assert evaluated["result"]["num_test_documents"] == 10
    assert evaluated["result"]["metrics"]["accuracy"] > 0.9
    predicted = cli_json(house, "predict", project, field, "--wait")
    assert predicted["result"]["predictions_created"] == 40


@pytest.mark.slow
def test_a_task_submitted_without_waiting_is_pending_and_can_be_followed(
    house: House, imported: dict[str, Any]
) -> None:
    task = cli_json(house, "index", str(imported["project_id"]))
    assert (task["status"], task["result"]) == ("pending", None)
    house.database.succeeded(task["message_id"])
    assert cli_json(house, "tasks", "show", str(task["id"]))["status"] == "succeeded"


@pytest.mark.slow
def test_a_task_is_watched_as_lines_or_as_json(house: House, imported: dict[str, Any]) -> None:
    project, field = str(imported["project_id"]), str(imported["field_id"])
    waited = run_cli(house, "train", project, field, "--wait")
    assert waited.returncode == 0, waited.stderr
    # What was made is the output; how it went is said beside it.
    assert "model_version" in waited.stdout
    assert "train_field_model: 100 % succeeded" in waited.stderr.splitlines()

    task = cli_json(house, "predict", project, field)
    watched = run_cli(house, "tasks", "watch", str(task["id"]), "--json")
    assert watched.returncode == 0
    events = [json.loads(line) for line in watched.stdout.splitlines()]
    assert {event["task_id"] for event in events} == {task["id"]}
    assert (events[-1]["status"], events[-1]["progress"]) == ("succeeded", 100)
    again = run_cli(house, "tasks", "watch", str(task["id"]))
    assert again.stdout == f"task {task['id']} predict_field_documents: 100 % succeeded\n"


@pytest.mark.slow
def test_whoever_stops_watching_leaves_the_task_running(house: House, group: WorkerGroup) -> None:
    project = house.slow_project()
    message_id = house.send_training(project)
    with stopped(house.training_process(project, group)):
        number = str(house.database.wait_for_task(message_id, "started")["id"])
        watching = subprocess.Popen(
            [CLI, "tasks", "watch", number],
            env=export_environment(house.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith(f"task {number} train_field_model:")
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=60)

    assert watching.returncode == 130
    assert f"tasks watch {number}" in said
    assert f"tasks cancel {number}" in said
    assert "Traceback" not in said
    house.database.succeeded(message_id)


@pytest.mark.slow
def test_a_failed_task_ends_the_command_with_1_and_can_be_retried(house: House) -> None:
    project = house.project(labels=("animals",), training=3, test=0)
    arguments = (str(project.project_id), str(project.field_id))
    failed = cli_json(house, "train", *arguments, "--wait", status=1)
    assert failed["error"]["code"] == "NOT_ENOUGH_DOCUMENTS"

    # What was missing is added, and the same request submitted once more.
    better = house.project(training=3, test=0)
    house.database.execute(
        "UPDATE task SET project_id = :project, request = jsonb_build_object("
        "'project_id', CAST(:project AS bigint), 'field_id', CAST(:field AS bigint)) "
        "WHERE id = :id",
        project=better.project_id,
        field=better.field_id,
        id=failed["id"],
    )
    again = cli_json(house, "tasks", "retry", str(failed["id"]))
    assert again["id"] != failed["id"]
    assert again["correlation_id"] == failed["correlation_id"]
    assert house.database.succeeded(again["message_id"])["attempts"] == 1


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("task_type", "request_"),
    [
        ("index_documents", '{"project_id": "7"}'),
        ("no_such_actor", '{"project_id": 7}'),
    ],
    ids=["request that is wrong", "type that is unknown"],
)
def test_a_task_that_can_never_run_is_not_retried(
    house: House, task_type: str, request_: str
) -> None:
    message_id = f"retry-{task_type}"
    house.database.execute(
        "INSERT INTO task (message_id, type, status, request) "
        "VALUES (:message_id, :type, 'failed', CAST(:request AS jsonb))",
        message_id=message_id,
        type=task_type,
        request=request_,
    )
    task = house.database.task(message_id)
    assert task is not None
    done = run_cli(house, "tasks", "retry", str(task["id"]))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
