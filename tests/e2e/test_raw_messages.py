"""Workers driven as another program drives them: raw messages, SQL and files only."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dramatiq.results import ResultFailure

from tests.support.corpora import SmallProject
from tests.support.house import House


def nested(depth: int) -> list[Any]:
    """A list in a list in a list ..."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_project_goes_all_the_way_from_documents_to_predictions(house: House) -> None:
    project = house.project()
    project_id, field_id = project.project_id, project.field_id
    database = house.database

    indexed = database.succeeded(house.send("index_documents", project_id=project_id))
    assert indexed["result"]["num_documents"] == 48
    assert Path(indexed["result"]["index_path"]).is_dir()

    trained = house.train(project, feature_extractor="tfidf", classifier="svm")
    model = database.row("SELECT * FROM model WHERE field_id = :id", id=field_id)
    assert model is not None
    assert (model["version"], model["status"]) == (1, "ready")
    assert trained["result"]["model_id"] == model["id"]
    assert json.loads((house.model_directory(project, 1) / "manifest.json").read_bytes())

    evaluated = database.succeeded(
        house.send("evaluate_field_model", field_id=field_id, project_id=project_id)
    )
    accuracy = evaluated["result"]["metrics"]["accuracy"]
    assert accuracy > 0.9
    assert database.value("SELECT accuracy FROM model WHERE id = :id", id=model["id"]) == accuracy

    message_id = house.send_prediction(project, project.test_ids)
    predicted = database.succeeded(message_id)
    assert predicted["result"]["predictions_created"] == len(project.test_ids)
    assert [line["document_id"] for line in history(house, project, 1, message_id)] == (
        project.test_ids
    )
    rows = database.rows(
        "SELECT document_id, class_id, confidence FROM prediction WHERE field_id = :id "
        "ORDER BY document_id",
        id=field_id,
    )
    assert [row["document_id"] for row in rows] == project.test_ids
    right = [
        row["class_id"] == project.class_ids[project.true_class[row["document_id"]]] for row in rows
    ]
    assert sum(right) / len(right) > 0.9


def test_a_task_row_tells_when_and_how_the_task_went(house: House, trained: SmallProject) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    message_id = house.send_prediction(trained, trained.test_ids)
    task = house.database.succeeded(message_id)
    assert before <= task["queued_at"] <= task["started_at"] <= task["finished_at"]
    assert (task["attempts"], task["progress"], task["error"]) == (1, 100, None)
    assert (task["type"], task["project_id"]) == ("predict_field_documents", trained.project_id)
    assert task["request"] == {
        "project_id": trained.project_id,
        "field_id": trained.field_id,
        "document_ids": trained.test_ids,
    }
    assert task["correlation_id"] == message_id


def test_the_correlation_id_of_a_message_is_kept(house: House, trained: SmallProject) -> None:
    message_id = house.send_prediction(
        trained, trained.test_ids, options={"correlation_id": "request-17"}
    )
    assert house.database.succeeded(message_id)["correlation_id"] == "request-17"


def test_the_result_backend_holds_what_the_row_holds(house: House, trained: SmallProject) -> None:
    message_id = house.send_prediction(trained, trained.test_ids)
    task = house.database.succeeded(message_id)
    assert house.sender.result("predict_field_documents", message_id) == task["result"]


def test_a_failure_is_in_the_row_the_result_backend_and_the_dead_letters(house: House) -> None:
    message_id = house.send("index_documents", project_id=2**40)
    task = house.database.failed(message_id)
    with pytest.raises(ResultFailure) as failure:
        house.sender.result("index_documents", message_id)
    # Dramatiq puts the exception's class before its text.
    assert json.loads(failure.value.orig_exc_msg) == task["error"]
    assert set(task["error"]) == {"code", "message", "details", "retryable"}
    house.wait_settled()
    assert house.sender.is_dead_letter("indexing", message_id)


def test_a_message_sent_twice_has_one_effect(house: House) -> None:
    project = house.project()
    message_id = house.send_training(project)
    task = house.database.succeeded(message_id)
    before = everything(house, project)
    result = house.sender.result("train_field_model", message_id)

    key = house.sender.results.build_message_key(
        house.sender.message("train_field_model", message_id=message_id)
    )
    house.sender.results.client.delete(key)
    house.send_training(project, message_id=message_id)
    assert house.sender.result("train_field_model", message_id) == result == task["result"]
    house.wait_settled()
    assert everything(house, project) == before
    assert not house.model_directory(project, 2).exists()


def test_a_failed_message_that_is_sent_again_fails_as_before(house: House) -> None:
    message_id = house.send("index_documents", project_id=2**41)
    task = house.database.failed(message_id)
    house.wait_settled()
    house.send("index_documents", project_id=2**41, message_id=message_id)
    house.wait_settled()
    assert house.database.task(message_id) == task


@pytest.mark.slow
def test_predictions_come_from_the_newest_version_or_the_one_asked_for(house: House) -> None:
    project = house.project()
    house.train(project)
    ids = project.test_ids
    first = house.send_prediction(project, ids)
    house.database.succeeded(first)
    assert house.train(project, feature_extractor="tfidf")["result"]["model_version"] == 2

    second = house.send_prediction(project, ids)
    assert house.database.succeeded(second)["result"]["model_version"] == 2
    assert versions_of_predictions(house, project) == {2}
    assert len(history(house, project, 1, first)) == len(ids)
    assert {line["model_version"] for line in history(house, project, 2, second)} == {2}

    third = house.send_prediction(project, ids, model_version=1)
    assert house.database.succeeded(third)["result"]["model_version"] == 1
    assert versions_of_predictions(house, project) == {1}
    assert history(house, project, 1, third) == history(house, project, 1, first)


def test_null_document_ids_mean_every_document_of_the_project(
    house: House, trained: SmallProject
) -> None:
    task = house.database.succeeded(house.send_prediction(trained, None))
    assert task["result"]["predictions_created"] == len(trained.document_ids)
    assert task["result"]["missing_document_ids"] == []


def test_documents_that_are_unknown_or_of_another_project_are_listed_as_missing(
    house: House, trained: SmallProject
) -> None:
    other = house.project(training=2, test=0)
    asked = [trained.test_ids[0], other.document_ids[0], 2**62]
    task = house.database.succeeded(house.send_prediction(trained, asked))
    assert task["result"]["predictions_created"] == 1
    assert task["result"]["total_documents"] == 3
    assert task["result"]["missing_document_ids"] == asked[1:]
    assert task["result"]["num_missing"] == 2
    foreign = house.database.value(
        "SELECT count(*) FROM prediction WHERE document_id = :id", id=other.document_ids[0]
    )
    assert foreign == 0


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "message_id",
    ["../../escape", "/etc/escape", "a/b", "ключ-键-🔑", "x" * 500, " ", ".", "..", "a\nb"],
    ids=["climbs", "absolute", "slash", "unicode", "long", "blank", "dot", "dots", "line-break"],
)
def test_a_message_id_is_never_a_way_out_of_the_storage(
    house: House, trained: SmallProject, message_id: str
) -> None:
    before = files_around(house)
    task = house.database.failed(
        house.send_prediction(trained, trained.test_ids, message_id=message_id)
    )
    assert task["error"]["code"] == "VALIDATION_ERROR"
    assert "cannot name a file" in task["error"]["message"]
    house.wait_settled()
    assert files_around(house) == before


@pytest.mark.parametrize(
    "message_id",
    ["a\0b", "a\ud800b", "".join(chr(0x4E00 + code) for code in range(5_000))],
    ids=["nul", "surrogate", "longer than an index takes"],
)
def test_a_message_id_that_no_row_can_hold_is_a_dead_letter(house: House, message_id: str) -> None:
    number = len(house.sender.dead_letters("indexing"))
    house.send("index_documents", project_id=1, message_id=message_id)
    house.wait_settled()
    assert len(house.sender.dead_letters("indexing")) == number + 1


@pytest.mark.parametrize(
    "value",
    ["a\0b", "\ud800", float("nan"), 10**400, nested(500)],
    ids=["nul", "surrogate", "nan", "huge", "deep"],
)
def test_an_argument_that_no_row_can_hold_fails_the_task(house: House, value: object) -> None:
    message_id = house.send("index_documents", project_id=1, documents_path=value)
    task = house.database.failed(message_id)
    assert task["error"]["code"] == "VALIDATION_ERROR"
    assert task["attempts"] == 1


def everything(house: House, project: SmallProject) -> dict[str, Any]:
    """All rows a training touches, and the model's files with their times."""
    ids = {"project": project.project_id, "field": project.field_id}
    return {
        "task": house.database.rows(
            "SELECT * FROM task WHERE project_id = :project ORDER BY id", project=ids["project"]
        ),
        "project": house.database.row("SELECT * FROM project WHERE id = :id", id=ids["project"]),
        "model": house.database.rows("SELECT * FROM model WHERE field_id = :id", id=ids["field"]),
        "files": {
            path: path.stat().st_mtime_ns
            for path in house.model_directory(project, 1).parent.rglob("*")
        },
    }


def history(
    house: House, project: SmallProject, version: int, message_id: str
) -> list[dict[str, Any]]:
    """The predictions that a message made, as it recorded them."""
    directory = house.storage / str(project.project_id) / "predictions" / str(project.field_id)
    lines = (directory / f"v{version}" / f"{message_id}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def versions_of_predictions(house: House, project: SmallProject) -> set[int]:
    """Which model versions the latest predictions are from."""
    rows = house.database.rows(
        "SELECT DISTINCT model_version FROM prediction WHERE field_id = :id", id=project.field_id
    )
    return {row["model_version"] for row in rows}


def files_around(house: House) -> set[Path]:
    """Every file of the house, in its storage and beside it, but for logs and those of servers."""
    around = house.directory.parent
    servers = {version.parent for version in around.rglob("PG_VERSION")}
    return {
        path
        for path in around.rglob("*")
        if path.is_file() and path.suffix != ".log" and servers.isdisjoint(path.parents)
    }
