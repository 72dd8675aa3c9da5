"""Versions that are trained side by side, and which one serves."""

import pytest

from lexiclass import verify_model
from lexiclass_core.client import TaskClient
from tests.e2e.test_cli import cli_json
from tests.support.authors import ANNA
from tests.support.house import House


@pytest.mark.slow
def test_trainings_of_one_field_at_once_are_versions_to_choose_from(house: House) -> None:
    project = house.project(training=4, test=2)
    field = project.field_id
    with house.worker(threads=2, LIMITS__TRAININGS_PER_PROJECT="9"):
        sent = {house.send_training(project, classifier_params={"C": c}): c for c in (1, 2, 4, 8)}
        trained = [house.database.succeeded(message_id) for message_id in sent]
    assert sorted(task["result"]["model_version"] for task in trained) == [1, 2, 3, 4]
    # Some of them ran at the same time.
    second = sorted(task["started_at"] for task in trained)[1]
    assert second < min(task["finished_at"] for task in trained)
    for task in trained:
        # Each version has the files of its own training, whole.
        manifest = verify_model(house.model_directory(project, task["result"]["model_version"]))
        assert manifest.metadata["message_id"] == task["message_id"]
        assert manifest.spec.classifier_params["C"] == sent[task["message_id"]]

    def serving() -> int:
        task = house.database.succeeded(house.send_prediction(project, project.test_ids))
        return int(task["result"]["model_version"])

    assert serving() == 4
    with TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
    ) as client:
        client.models.promote(field, 1, **ANNA)
        assert serving() == 1
        client.models.promote(field, 3, **ANNA)
        house.train(project)
        assert serving() == 3
        assert client.models.roll_back(field, **ANNA).after == serving() == 1
        client.models.retire(field, 2, **ANNA)
    refused = house.database.failed(house.send_prediction(project, None, model_version=2))["error"]
    assert (refused["code"], "reinstate it" in refused["message"]) == ("NO_READY_MODEL", True)

    done = cli_json(house, "models", "prune", str(field), "--keep", "2", "--yes")
    assert {row["version"]: row["outcome"] for row in done} == {
        5: "keep", 4: "keep", 3: "removed", 2: "removed", 1: "keep",
    }  # fmt: skip
    assert [v for v in range(1, 6) if house.model_directory(project, v).exists()] == [1, 4, 5]
    assert serving() == 1
