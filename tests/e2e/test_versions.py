"""Versions that are trained side by side, and which one serves."""

import json

from lexiclass import verify_model
from tests.e2e.test_cli import cli_json, run_cli
from tests.support.house import House


def test_trainings_of_one_field_at_once_are_versions_to_choose_from(house: House) -> None:
    project = house.project(training=4, test=2)
    field = str(project.field_id)
    with house.worker(threads=2):
        sent = {house.send_training(project, classifier_params={"C": c}): c for c in (1, 2, 4, 8)}
        trained = [house.database.succeeded(message_id) for message_id in sent]
    assert sorted(task["result"]["model_version"] for task in trained) == [1, 2, 3, 4]
    assert max(task["started_at"] for task in trained) < min(t["finished_at"] for t in trained)
    for task in trained:
        # Each version has the files of its own training, whole.
        manifest = verify_model(house.model_directory(project, task["result"]["model_version"]))
        assert manifest.metadata["message_id"] == task["message_id"]
        assert manifest.spec.classifier_params["C"] == sent[task["message_id"]]

    def serving() -> int:
        task = house.database.succeeded(house.send_prediction(project, project.test_ids))
        return int(task["result"]["model_version"])

    def change(*arguments: str) -> int:
        return int(cli_json(house, "models", *arguments, "--by", "anna")["after"])

    assert serving() == 4
    assert change("promote", field, "1") == serving() == 1
    assert change("promote", field, "3") == serving() == 3
    house.train(project)
    assert serving() == 3
    assert change("rollback", field) == serving() == 1
    assert change("retire", field, "2", "--reason", "too old") == 1
    refused = house.database.failed(house.send_prediction(project, None, model_version=2))["error"]
    assert (refused["code"], "reinstate it" in refused["message"]) == ("NO_READY_MODEL", True)
    for version in ("1", "3"):
        house.database.succeeded(
            house.send(
                "evaluate_field_model",
                project_id=project.project_id,
                field_id=project.field_id,
                model_version=int(version),
            )
        )
    compared = cli_json(house, "models", "compare", field, "1", "3")
    assert compared["same_test_set"] is True

    done = run_cli(house, "models", "prune", field, "--keep", "2", "--yes", "--json")
    assert {row["version"]: row["outcome"] for row in json.loads(done.stdout)} == {
        5: "keep", 4: "keep", 3: "removed", 2: "removed", 1: "keep",
    }  # fmt: skip
    assert [v for v in range(1, 6) if house.model_directory(project, v).exists()] == [1, 4, 5]
    assert serving() == 1
    events = cli_json(house, "models", "history", field)
    assert [(event["action"], event["version"]) for event in events if event["by"] == "anna"] == [
        ("retired", 2), ("rolled_back", 3), ("promoted", 3), ("promoted", 1),
    ]  # fmt: skip
