"""The command line, in this process: what it prints, and with which status it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_worker.admin.doctor import doctor_probes
from lexiclass_worker.config import export_environment, list_variables
from lexiclass_worker.embedded.process import free_port
from tests.support.commands import Run
from tests.support.corpora import create_project, make_text
from tests.support.database import Database

TRAINING = ("project_id=7", "field_id=3", 'classifier_params={"C": 2}', "classifier=svm")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.jsonl"
    records = [
        {"text": make_text(label, number), "label": label}
        for number in range(10)
        for label in ("animals", "vehicles")
    ]
    path.write_text("\n".join(map(json.dumps, records)) + "\nbroken\n")
    return path


# Usage


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("tasks", "show"),
        ("tasks", "show", "seven"),
        ("tasks", "list", "--status", "done"),
        ("tasks", "list", "--limit", "0"),
        ("project", "import", "x", "--test-fraction", "2"),
        ("index", "0"),
        ("index", "1", "--tokenizer", "../x"),
        ("train", "1", "1", "--classifier-params", "{broken"),
        ("train", "1", "1", "--classifier-params", "[1]"),
        ("train", "1", "1", "--param", "C"),
        ("train", "1", "1", "--param", "no_such_parameter=1"),
        ("train", "1", "1", "--param", "C=abc"),
        ("train", "1", "1", "--classifier-params", '{"C": -1}'),
        ("index", "1", "--tokenizer-param", "min_length=no"),
        ("train", "1", "1", "--features", "tfidf", "--param", "no_such.C=1"),
        ("index", "1", "--classifier-param", "C=1"),
        ("predict", "1", "1", "--document", "0"),
        ("predict", "1", "1", "--priority", "1001"),
        ("predict", "1", "1", "--accept-at", "95"),
        ("predict", "1", "1", "--accept-at", "1"),
        ("predict", "1", "1", "--accept-at", "0.9", "--accept-confidence", "0.9"),
        ("predict", "1", "1", "--accept-at", "0.9", "--text", "words"),
        ("run", "--threads", "0"),
        ("run", "--queue", "nowhere"),
        ("plugins", "describe", "no-such-plugin"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_nothing_on_the_output(
    cli: Run, arguments: tuple[str, ...]
) -> None:
    outcome = cli(*arguments)

    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err


@pytest.mark.parametrize(
    "arguments", [("db", "upgrade"), ("tasks", "list"), ("index", "1"), ("run",), ("check",)]
)
def test_without_a_database_every_command_says_what_is_expected(
    bare_cli: Run, arguments: tuple[str, ...]
) -> None:
    outcome = bare_cli(*arguments)

    assert outcome.status in {1, 2}
    assert "DATABASE_URI" in outcome.err + outcome.out
    assert "Traceback" not in outcome.err


def test_a_misspelt_variable_is_wrong_usage(bare_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS__PROT", "1")

    outcome = bare_cli("queues", "list")

    assert outcome.status == 2
    assert "METRICS__PROT (did you mean METRICS__PORT?)" in outcome.err


def test_config_show_is_the_way_out_of_every_wrong_setting(
    bare_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS__PROT", "1")
    monkeypatch.setenv("LEXICLASS_API_DEBUG", "1")
    monkeypatch.setenv("DATABASE_URI", "postgresql://app:hun%2Fter2@h/db?password=")

    outcome = bare_cli("config", "show", "--json")

    assert outcome.status == 0
    rows = {row["variable"]: row["value"] for row in json.loads(outcome.out)}
    assert rows["DATABASE_URI"] == "postgresql://app:***@h/db?password=***"
    assert rows["METRICS__PORT"] == "9191"
    assert "METRICS__PROT (did you mean METRICS__PORT?)" in outcome.err
    assert "LEXICLASS_API_DEBUG" in outcome.err

    monkeypatch.setenv("DATABASE_URI", "postgresql://app:hun/ter2@h/db")
    monkeypatch.setenv("METRICS__HOST", "here")

    outcome = bare_cli("config", "show", "--json")

    assert outcome.status == 2
    rows = {row["variable"]: row["value"] for row in json.loads(outcome.out)}
    assert "percent-encode" in rows["DATABASE_URI"]
    assert rows["METRICS__HOST"] == "here"
    # Not "hun", which is in a word of a description.
    assert not any(part in outcome.out + outcome.err for part in (":hun", "hun/", "ter2"))


def test_help_names_every_command(bare_cli: Run) -> None:
    outcome = bare_cli("--help")

    assert outcome.status == 0
    for command in (
        "run demo standalone check db project index train predict evaluate tasks models plugins "
        "config"
    ).split():
        assert command in outcome.out


def test_a_server_that_is_away_ends_with_1_and_one_line(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URI", f"postgresql+asyncpg://u:hunter2@127.0.0.1:{free_port()}/d")

    outcome = cli("tasks", "list")

    assert outcome.status == 1
    assert "PostgreSQL could not be reached" in outcome.err
    assert "Traceback" not in outcome.err
    assert "hunter2" not in outcome.err + outcome.out


# Settings


def test_config_show_names_every_setting_and_no_password(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAMATIQ__RESULT_BACKEND", "redis://user:hunter2@host/0")
    monkeypatch.setenv("METRICS__PORT", "9999")

    for outcome in (cli("config", "show"), cli("config", "show", "--json")):
        assert outcome.status == 0
        assert "hunter2" not in outcome.out
    shown = {row["variable"]: row["value"] for row in cli("config", "show", "--json").json}
    assert set(shown) == {variable.name for variable in list_variables()}
    assert shown["METRICS__PORT"] == "9999"
    assert shown["DRAMATIQ__RESULT_BACKEND"] == "redis://user:***@host/0"


def test_config_show_writes_the_documentation(cli: Run) -> None:
    outcome = cli("config", "show", "--markdown")

    assert outcome.status == 0
    assert "| METRICS__PORT | `9191` |" in outcome.out


def test_plugins_are_listed_with_their_parameters(bare_cli: Run) -> None:
    table, listed = bare_cli("plugins", "list"), bare_cli("plugins", "list", "--json")

    assert (table.status, listed.status) == (0, 0)
    plugins = {(plugin["type"], plugin["name"]): plugin for plugin in listed.json}
    for key in (("tokenizer", "icu"), ("feature_extractor", "tfidf"), ("classifier", "svm")):
        assert plugins[key]["available"]
        assert plugins[key]["description"]
        assert key[1] in table.out
    assert "C" in plugins["classifier", "svm"]["parameters"]["properties"]


# The database


def test_db_upgrade_and_current(cli: Run, servers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    head = cli("db", "current", "--json").json
    assert head["database"] == head["newest"]

    assert cli("db", "upgrade").status == 0
    again = cli("db", "upgrade", "--json").json
    assert again == {"before": head["newest"], "now": head["newest"]}


def test_check_says_yes_when_all_is_there(cli: Run) -> None:
    outcome = cli("check", "--json")

    assert outcome.status == 0
    states = {row["check"]: row["state"] for row in outcome.json["checks"]}
    otherwise = {"queues": "warn"}
    otherwise |= dict.fromkeys(("cache", "plugins", "signatures", "traces"), "skipped")
    # The servers of the tests write nothing to a disk on purpose.
    otherwise["postgresql persistence"] = "warn"
    assert states == {**dict.fromkeys(doctor_probes(), "pass"), **otherwise}
    assert outcome.json["counts"] == {"pass": len(states) - 6, "warn": 2, "fail": 0, "skipped": 4}
    shown = cli("check")
    assert (shown.status, "-> start one: lexiclass-worker run" in shown.out) == (0, True)


def test_check_names_what_is_down(
    cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DRAMATIQ__BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("STORAGE__BASE_PATH", str(tmp_path / "file"))

    outcome = cli("check", "--json")

    assert outcome.status == 1
    rows = outcome.json["checks"]
    assert {row["check"] for row in rows if row["state"] == "fail"} == {"redis", "storage"}
    skipped = {row["check"] for row in rows if row["state"] == "skipped"}
    assert {"redis rights", "redis clock"} <= skipped
    assert all(row["remedy"] for row in rows if row["state"] in {"warn", "fail"})


def test_check_names_a_storage_that_is_not_there_though_projects_have_files(
    cli: Run, database: Database, storage_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(session: AsyncSession) -> None:
        await create_project(session, storage_path, training=1, test=0)

    database.run(create)
    mistyped = storage_path.with_name("storrage")
    monkeypatch.setenv("STORAGE__BASE_PATH", str(mistyped))

    outcome = cli("check", "--json")

    assert outcome.status == 1
    (row,) = [row for row in outcome.json["checks"] if row["state"] == "fail"]
    assert row["check"] == "storage"
    assert f"{mistyped} does not exist, and the database has projects with files" in row["found"]
    assert not mistyped.exists()


@pytest.mark.slow
def test_check_starts_what_workers_start(
    environment: dict[str, str], tmp_path: Path, cli: Run
) -> None:
    broken = tmp_path / "broken" / "sklearn"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libgomp.so.1: cannot be opened')")
    run = subprocess.run(
        [Path(sys.executable).with_name("lexiclass-worker"), "check", "--json"],
        env=export_environment({**environment, "PYTHONPATH": str(broken.parent)}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stderr
    down = [row for row in json.loads(run.stdout)["checks"] if row["state"] == "fail"]
    assert [(row["check"], row["found"]) for row in down] == [
        ("sandbox", "InternalError: the libraries of the sandbox cannot be imported")
    ]
    assert "libgomp.so.1" in run.stderr


def test_check_tells_a_database_without_tables(
    cli: Run, monkeypatch: pytest.MonkeyPatch, database_uri: str
) -> None:
    empty = make_url(database_uri).set(database="postgres").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URI", empty)

    outcome = cli("check", "--json")

    assert outcome.status == 1
    (tables,) = (row for row in outcome.json["checks"] if row["check"] == "tables")
    assert tables["remedy"] == "run lexiclass-worker db upgrade"


# Projects


def test_a_project_is_imported_and_listed(cli: Run, corpus: Path) -> None:
    outcome = cli("project", "import", corpus, "--field", "topic", "--json")

    assert outcome.status == 0
    report = outcome.json
    assert (report["num_documents"], report["num_refused"]) == (20, 1)
    assert report["classes"] == {"animals": 10, "vehicles": 10}
    assert report["num_training"] + report["num_test"] == 20
    (project,) = cli("project", "list", "--json").json
    assert (project["id"], project["name"]) == (report["project_id"], "reviews")
    assert project["documents"] == 20
    assert project["fields"] == [{"id": report["field_id"], "name": "topic"}]

    table = cli("project", "list")
    assert table.status == 0
    assert "reviews" in table.out


def test_an_import_for_people_shows_classes_and_refusals(cli: Run, corpus: Path) -> None:
    with corpus.open("a") as file:
        file.write("broken [bold]too[/]\n" * 15)

    outcome = cli("project", "import", corpus, "--name", "named")

    assert outcome.status == 0
    assert "animals" in outcome.out
    assert "reviews.jsonl:21" in outcome.out
    assert "and 6 more" in outcome.out


@pytest.mark.parametrize("path", ["nowhere", "nowhere.csv"])
def test_an_import_of_nothing_ends_with_1(cli: Run, path: str) -> None:
    outcome = cli("project", "import", path)

    assert outcome.status == 1
    assert f"{path} does not exist" in outcome.err


# Tasks


def submit(cli: Run) -> int:
    outcome = cli("index", "7", "--json")
    assert outcome.status == 0
    return int(outcome.json["id"])


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (("index", 7), {"project_id": 7, "is_incremental": True, "tokenizer": "icu"}),
        (
            ("index", 7, "--full", "--locale", "de"),
            {"project_id": 7, "is_incremental": False, "tokenizer": "icu", "locale": "de"},
        ),
        (
            ("index", 7, "--features", "sbert", "--features-params", '{"max_tokens": 64}'),
            {
                "project_id": 7,
                "is_incremental": True,
                "tokenizer": "icu",
                "feature_extractor": "sbert",
                "feature_extractor_params": {"max_tokens": 64},
            },
        ),
        (
            ("predict", 7, 3, "--document", 1, "--document", 2, "--model-version", 4),
            {"project_id": 7, "field_id": 3, "document_ids": [1, 2], "model_version": 4},
        ),
        (("predict", 7, 3), {"project_id": 7, "field_id": 3, "document_ids": None}),
        (
            ("predict", 7, 3, "--accept-at", 0.95),
            {"project_id": 7, "field_id": 3, "document_ids": None, "accept_at": {"accuracy": 0.95}},
        ),
        (
            ("predict", 7, 3, "--accept-confidence", 0),
            {"project_id": 7, "field_id": 3, "document_ids": None, "accept_at": {"confidence": 0}},
        ),
        (("evaluate", 7, 3), {"project_id": 7, "field_id": 3}),
        (
            ("tasks", "submit", "evaluate_field_model", "project_id=7", "field_id=3"),
            {"project_id": 7, "field_id": 3},
        ),
        (
            ("tasks", "submit", "train_field_model", *TRAINING),
            {"project_id": 7, "field_id": 3, "classifier": "svm", "classifier_params": {"C": 2}},
        ),
    ],
)
def test_a_command_submits_what_was_said_and_nothing_else(
    cli: Run, arguments: tuple[object, ...], request_: dict[str, Any]
) -> None:
    task = cli(*arguments, "--json").json

    assert (task["status"], task["request"]) == ("pending", request_)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sing",), "there is no operation 'sing' to submit; there are delete_project"),
        # Only workers send parts.
        (("predict_document_chunk",), "there is no operation 'predict_document_chunk'"),
        (("index_documents", "project_id"), "expected NAME=VALUE, found 'project_id'"),
        (("index_documents", "project_id=1", "project_id=2"), "project_id is given twice"),
        (("index_documents", "project_id=x"), "project_id: Input should be a valid integer"),
        (("index_documents", "project_id=1", "colour=red"), "colour: Extra inputs"),
        (("index_documents", "--module", "no.such"), "there is no module no here"),
    ],
)
def test_a_request_that_its_operation_does_not_take_is_not_submitted(
    cli: Run, arguments: tuple[str, ...], said: str
) -> None:
    outcome = cli("tasks", "submit", *arguments)
    assert outcome.status == 2
    assert said in " ".join(outcome.err.replace("│", "").split())


def test_a_training_is_submitted_with_its_parameters(cli: Run) -> None:
    task = cli("train", 7, 3, "--features", "tfidf", "--classifier-params", '{"C": 2}', "--json")

    assert task.json["request"]["feature_extractor"] == "tfidf"
    assert task.json["request"]["classifier_params"] == {"C": 2}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            "--param C=10 --param min_df=3 --param ngram_range=1,2",
            ({"min_df": 3, "ngram_range": [1, 2]}, {"C": 10}),
        ),
        ("--param classifier.C=0.5", ({}, {"C": 0.5})),
        ("--classifier-param C=10 --features-param min_df=2", ({"min_df": 2}, {"C": 10})),
        ('--classifier-params {"C":2} --classifier-param C=10', ({}, {"C": 10})),
        ('--param features.min_df=2 --classifier-params {"C":2}', ({"min_df": 2}, {"C": 2})),
    ],
)
def test_parameters_are_given_by_name_and_typed_by_their_plugin(
    cli: Run, options: str, expected: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    task = cli("train", 7, 3, "--features", "tfidf", *options.split(), "--json")
    assert task.status == 0, task.err
    request = task.json["request"]
    assert (request["feature_extractor_params"], request["classifier_params"]) == expected


def test_parameters_of_a_plugin_that_only_the_workers_have_are_json_or_text(cli: Run) -> None:
    options = ["--classifier", "theirs", "--param", "min_df=3"]
    for assignment in ("depth=7", "name=seven", "weights.spam=0.5", "weights.ham=2"):
        options += ["--classifier-param", assignment]
    request = cli("train", 7, 3, "--features", "tfidf", *options, "--json").json["request"]
    assert request["feature_extractor_params"] == {"min_df": 3}
    assert request["classifier_params"] == {
        "depth": 7,
        "name": "seven",
        "weights": {"spam": 0.5, "ham": 2},
    }


def test_tasks_are_listed_newest_first_and_shown(cli: Run) -> None:
    first, second = submit(cli), submit(cli)

    listed = cli("tasks", "list", "--json").json
    assert [task["id"] for task in listed] == [second, first]
    assert cli("tasks", "list", "--limit", 1, "--json").json == listed[:1]
    assert cli("tasks", "list", "--project", 8, "--json").json == []
    assert cli("tasks", "list", "--status", "failed", "--json").json == []
    shown = cli("tasks", "show", first, "--json").json
    assert {key: shown[key] for key in listed[1]} == listed[1]
    for outcome in (cli("tasks", "list"), cli("tasks", "show", first)):
        assert outcome.status == 0
        assert "index_documents" in outcome.out


def test_a_waiting_task_is_cancelled_once(cli: Run) -> None:
    task_id = submit(cli)

    cancelled = cli("tasks", "cancel", task_id, "--json").json
    assert (cancelled["status"], cancelled["error"]["code"]) == ("cancelled", "CANCELLED")

    again = cli("tasks", "cancel", task_id)
    assert again.status == 1
    assert "is cancelled: it cannot be cancelled any more" in again.err


def test_watching_a_task_that_did_not_succeed_ends_with_1_and_why(cli: Run) -> None:
    task = cli("index", 7, "--json").json["id"]
    cli("tasks", "cancel", task)

    watched = cli("tasks", "watch", task, "--json")

    (event,) = [json.loads(line) for line in watched.out.splitlines()]
    assert (watched.status, event["status"], event["task_id"]) == (1, "cancelled", task)
    assert f"task {task} cancelled: CANCELLED: cancelled on request" in watched.err
    assert cli("tasks", "watch", 4711).status == 1


@pytest.mark.parametrize(
    "arguments", [("index", 1), ("train", 1, 1), ("predict", 1, 1), ("evaluate", 1, 1)]
)
def test_a_task_is_submitted_with_a_priority(cli: Run, arguments: tuple[object, ...]) -> None:
    assert cli(*arguments, "--priority", -5, "--json").json["priority"] == -5
    assert cli(*arguments, "--json").json["priority"] is None


@pytest.mark.parametrize(
    "arguments",
    [("queues", "list"), ("dead-letters", "list"), ("reconcile", "--dry-run")],
    ids=" ".join,
)
def test_a_redis_that_is_away_is_named(
    cli: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    submit(cli)
    monkeypatch.setenv("DRAMATIQ__BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")

    outcome = cli(*arguments, *(("--quiet-s", "0") if arguments[0] == "reconcile" else ()))

    assert outcome.status == 1
    assert "Redis could not be used (ConnectionError" in outcome.err
    assert "DRAMATIQ__BROKER_URL" in outcome.err
    assert "hunter2" not in outcome.err + outcome.out


def test_a_cancelled_task_is_submitted_again_as_a_new_one(cli: Run, database: Database) -> None:
    task_id = submit(cli)
    refused = cli("tasks", "retry", task_id)
    assert refused.status == 1
    assert "is pending: only one that failed or was cancelled" in refused.err
    database.execute("UPDATE task SET priority = -7 WHERE id = :id", id=task_id)
    cli("tasks", "cancel", task_id)

    new = cli("tasks", "retry", task_id, "--json").json

    assert new["id"] > task_id
    assert (new["status"], new["priority"]) == ("pending", -7)
    assert new["request"] == cli("tasks", "show", task_id, "--json").json["request"]


@pytest.mark.parametrize(
    ("kind", "request_"),
    [("no_such_actor", {"project_id": 1}), ("index_documents", {"project_id": "seven"})],
)
def test_a_task_that_no_request_can_repeat_is_not_retried(
    cli: Run, database: Database, kind: str, request_: dict[str, Any]
) -> None:
    task_id = database.value(
        "INSERT INTO task (message_id, type, status, request) "
        "VALUES ('m', :kind, 'failed', CAST(:request AS jsonb)) RETURNING id",
        kind=kind,
        request=json.dumps(request_),
    )

    outcome = cli("tasks", "retry", task_id)

    assert outcome.status == 1
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err


def test_the_chunks_of_a_task_are_counted_listed_and_not_retried(
    cli: Run, database: Database
) -> None:
    parent = submit(cli)
    database.execute("UPDATE task SET status = 'started', num_chunks = 3 WHERE id = :id", id=parent)
    for number, status in enumerate(("succeeded", "failed", "pending")):
        database.execute(
            "INSERT INTO task (message_id, type, status, parent_id) "
            "VALUES (:m, 'predict_document_chunk', :s, :p)",
            m=f"m.{number}", s=status, p=parent,
        )  # fmt: skip

    chunks = cli("tasks", "list", "--parent", parent, "--json").json

    assert [task["id"] for task in cli("tasks", "list", "--json").json] == [parent]
    assert [chunk["status"] for chunk in chunks] == ["pending", "failed", "succeeded"]
    assert cli("tasks", "show", parent, "--json").json["chunks"] == {
        "pending": 1, "failed": 1, "succeeded": 1,
    }  # fmt: skip
    outcome = cli("tasks", "retry", chunks[1]["id"])
    assert outcome.status == 1
    assert f"is a chunk of task {parent}: submit that one once more" in outcome.err
    cli("tasks", "cancel", parent)
    assert [task["status"] for task in cli("tasks", "list", "--parent", parent, "--json").json] == [
        "cancelled", "failed", "succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["show", "cancel", "retry"])
def test_a_task_that_is_not_there_ends_with_1(cli: Run, command: str) -> None:
    outcome = cli("tasks", command, 4711)

    assert outcome.status == 1
    assert "no task 4711" in outcome.err


# Models


def test_models_are_listed_and_shown(cli: Run, database: Database, storage_path: Path) -> None:
    field_id = database.value(
        "WITH p AS (INSERT INTO project (name) VALUES ('p') RETURNING id) "
        "INSERT INTO field (project_id, name) SELECT id, 'f' FROM p RETURNING id"
    )
    database.execute(
        "INSERT INTO model (field_id, version, status, accuracy, metrics) "
        "SELECT id, version, 'ready', 0.5, CAST('{\"classifier\": \"svm\"}' AS jsonb) "
        "FROM field, generate_series(1, 2) AS version"
    )

    listed = cli("models", "list", field_id, "--json").json
    assert [(model["version"], model["classifier"]) for model in listed] == [(2, "svm"), (1, "svm")]
    shown = cli("models", "show", field_id, 1, "--json").json
    assert shown["accuracy"] == 0.5
    assert shown["files"].startswith(str(storage_path))
    assert shown["files"].endswith(f"/models/{field_id}/v1")
    for outcome in (cli("models", "list", field_id), cli("models", "show", field_id, 1)):
        assert outcome.status == 0
        assert "svm" in outcome.out
    missing = cli("models", "show", field_id, 3)
    assert missing.status == 1
    assert "has no model version 3: name one that it has" in missing.err


@pytest.mark.parametrize("command", [("list", 4711), ("show", 4711, 1)])
def test_models_of_a_field_that_is_not_there_end_with_1(
    cli: Run, command: tuple[object, ...]
) -> None:
    outcome = cli("models", *command)

    assert outcome.status == 1
    assert "field 4711 does not exist" in outcome.err


@pytest.mark.slow
def test_queues_are_paused_listed_drained_and_resumed(cli: Run, database: Database) -> None:
    assert cli("queues", "pause", "training", "indexing", "--reason", "storage moves").status == 0
    assert cli("queues", "pause", "training", "--reason", "and again").status == 0
    listed = {row["queue"]: row for row in cli("queues", "list", "--json").json}
    assert {queue: row["reason"] for queue, row in listed.items()} == {
        "indexing": "storage moves", "training": "storage moves", "prediction": None, "bulk": None,
    }  # fmt: skip
    assert listed["training"]["paused_since"] is not None
    assert listed["prediction"]["paused_since"] is None

    database.execute(
        "INSERT INTO task (message_id, type, status, lease_expires_at) VALUES "
        "('a', 'train_field_model', 'started', now() + interval '1 minute'), "
        "('b', 'train_field_model', 'started', now() - interval '1 minute'), "
        "('c', 'made-up', 'started', now() + interval '1 minute')"
    )
    late = cli("queues", "drain", "training", "--timeout", "0.3", "--json")
    assert late.status == 1
    assert late.json == {"queues": ["training"], "state": "paused", "running": 1}
    assert "prediction, bulk: paused" in cli("queues", "pause", "prediction").out
    drained = cli("queues", "drain", "prediction", "--json")
    assert drained.json == {"queues": ["prediction"], "state": "paused", "running": 0}
    paused = {row["queue"] for row in cli("queues", "list", "--json").json if row["paused_since"]}
    assert paused == {"indexing", "training", "prediction", "bulk"}  # the chunks of predictions

    assert cli("queues", "resume", "training", "indexing", "prediction").status == 0
    assert cli("queues", "resume", "training").status == 0
    assert all(row["paused_since"] is None for row in cli("queues", "list", "--json").json)
    assert cli("queues", "pause").status == 2
    assert cli("queues", "pause", "nothing").status == 2


def test_commands_name_the_cause_and_no_password(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAMATIQ__BROKER_URL", f"redis://:hunter22@127.0.0.1:{free_port()}/0")
    redis = cli("queues", "list")
    monkeypatch.setenv("DATABASE_URI", f"postgresql://u:hunter22@127.0.0.1:{free_port()}/x")
    postgresql = cli("tasks", "list")

    for outcome in (redis, postgresql):
        assert outcome.status == 1
        (line,) = outcome.err.splitlines()
        assert re.search("refused|Connect call failed|Errno 111", line), line
        assert "hunter22" not in line
