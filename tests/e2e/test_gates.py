"""A field whose versions are promoted by their evaluations, if they pass its gates."""

from typing import Any

import pytest

from tests.e2e.test_cli import cli_json, run_cli
from tests.support.house import House


@pytest.mark.slow
def test_a_version_serves_once_its_evaluation_has_passed(house: House) -> None:
    project = house.project(training=30, test=30)
    field = str(project.field_id)

    def models(command: str, *arguments: str, status: int = 0) -> Any:
        return cli_json(house, "models", command, field, *arguments, status=status)

    def serving() -> list[int]:
        return [row["version"] for row in models("list") if row["is_serving"]]

    models("serve", "promoted")
    models("gates", "--max-accuracy-loss", "0.05", "--promote-after-evaluation")
    with house.worker(threads=1):

        def evaluate(version: int) -> dict[str, Any]:
            message = house.send(
                "evaluate_field_model",
                project_id=project.project_id,
                field_id=project.field_id,
                model_version=version,
            )
            return dict(house.database.succeeded(message)["result"])

        house.train(project)
        assert serving() == []
        assert evaluate(1)["is_promoted"]
        assert serving() == [1]
        house.train(project)
        passed = evaluate(2)
        assert (passed["is_promoted"], passed["gates"]["against"]) == (True, 1)
        assert serving() == [2]

        # Labels that are wrong make a version that is.
        house.database.execute(
            "UPDATE document_label SET class_id = (SELECT min(id) FROM field_class WHERE field_id "
            "= :f AND id <> class_id) WHERE field_id = :f AND is_training_data",
            f=project.field_id,
        )
        house.train(project)
        refused = evaluate(3)
        assert (refused["is_promoted"], serving()) == (False, [2])
        assert refused["gates"]["verdicts"][0]["outcome"] == "failed"
        task = house.database.succeeded(house.send_prediction(project, project.test_ids))
        assert task["result"]["model_version"] == 2

    said = run_cli(house, "models", "promote", field, "3", "--gate")
    assert (said.returncode, "max_accuracy_loss" in said.stdout) == (1, True)
    assert "version 3 is not promoted" in said.stdout
    overridden = models("promote", "3", "--gate", "--override", "labels were mended")
    assert (overridden["is_promoted"], overridden["change"]["after"]) == (True, 3)
    assert models("rollback")["after"] == 2
    events = [event for event in models("history") if event["action"] != "trained"]
    assert [(event["action"], event["version"]) for event in events][:4] == [
        ("rolled_back", 3), ("promoted", 3), ("refused", 3), ("promoted", 2),
    ]  # fmt: skip
    assert (events[1]["reason"], events[1]["details"]["is_overridden"]) == (
        "labels were mended",
        True,
    )
