"""An evaluation measures what gates ask for, and promotes what passes where a field says so."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lexiclass.report.paired import accuracy_difference
from lexiclass_core import versions
from lexiclass_core.gates import Outcome
from lexiclass_core.schemas import EvaluateResult
from lexiclass_core.versions import Author
from lexiclass_worker.admin.reports import read_report
from lexiclass_worker.services import gating
from lexiclass_worker.services.gating import GatingOutcome
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

LENIENT = {"gates": {"max_accuracy_loss": 0.9}}
STRICT = {"gates": {"max_accuracy_loss": 0}}
ANNA = Author("anna", "because")


async def gated(workshop: Workshop, config: object, *, trained: int = 2) -> SmallProject:
    """A field with that configuration, and trained versions of which only promoted ones serve."""
    project = await workshop.project(training=6, test=4)
    await set_config(workshop, project, config)
    await workshop.execute("UPDATE field SET serve = 'promoted'")
    for _ in range(trained):
        await workshop.train(project)
    return project


async def train_another(workshop: Workshop, project: SmallProject) -> None:
    """One more version, of other labels."""
    await workshop.execute(
        "UPDATE document_label SET is_training_data = false WHERE document_id = :d",
        d=min(project.document_ids),
    )
    await workshop.train(project)
    await workshop.execute(
        "UPDATE document_label SET is_training_data = true WHERE document_id = :d",
        d=min(project.document_ids),
    )


async def set_config(workshop: Workshop, project: SmallProject, config: object) -> None:
    await workshop.execute(
        "UPDATE field SET config = CAST(:c AS jsonb) WHERE id = :f",
        c=json.dumps(config), f=project.field_id,
    )  # fmt: skip


async def serving(workshop: Workshop, project: SmallProject) -> int | None:
    async with workshop.sessions() as session:
        found = await versions.serving_version(session, project.field_id)
    return None if found is None else found.version


def outcomes(result: EvaluateResult) -> dict[str, Outcome]:
    assert result.gates is not None
    return {verdict.gate: verdict.outcome for verdict in result.gates.verdicts}


async def actions(workshop: Workshop) -> list[tuple[str, int]]:
    rows = await workshop.rows(
        "SELECT action, version FROM model_event WHERE action <> 'trained' ORDER BY id"
    )
    return [(row["action"], row["version"]) for row in rows]


async def test_versions_promote_themselves_one_after_the_other_and_can_be_rolled_back(
    workshop: Workshop,
) -> None:
    project = await gated(workshop, {**LENIENT, "promote_after_evaluation": True})

    first = await workshop.evaluate(project, model_version=1)
    assert (first.is_promoted, await serving(workshop, project)) == (True, 1)
    assert outcomes(first) == {"max_accuracy_loss": "passed"}
    second = await workshop.evaluate(project, model_version=2)

    assert (second.is_promoted, await serving(workshop, project)) == (True, 2)
    assert second.gates is not None
    assert second.gates.against == 1
    (verdict,) = second.gates.verdicts
    assert verdict.figures is not None
    assert "the same model" in verdict.says
    event = (await workshop.rows("SELECT * FROM model_event ORDER BY id"))[-1]
    assert event["details"]["gates"] == second.gates.model_dump(mode="json")
    assert event["details"]["from"] == 1

    async with workshop.sessions.begin() as session:
        await versions.roll_back(session, project.field_id, ANNA)
    # What somebody has rolled back does not come back by itself.
    again = await workshop.evaluate(project, model_version=2)
    assert (again.is_promoted, await serving(workshop, project)) == (None, 1)
    assert await actions(workshop) == [("promoted", 1), ("promoted", 2), ("rolled_back", 2)]


async def test_copies_among_test_documents_count_once_to_gates(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=8)
    await set_config(workshop, project, {"gates": {"calibrated": True, "max_accuracy_loss": 0.9}})
    await workshop.execute("UPDATE field SET serve = 'promoted'")
    first, *others = project.test_ids
    text = workshop.document(project, first).read_text()
    copies = [each for each in others if project.true_class[each] == project.true_class[first]]
    for document_id in copies:
        workshop.document(project, document_id).write_text(text)
    for _ in range(2):
        await workshop.train(project)
    await workshop.index(project)
    await workshop.evaluate(project, model_version=1)
    async with workshop.sessions.begin() as session:
        await versions.promote(session, project.field_id, 1, ANNA)

    second = await workshop.evaluate(project, model_version=2)

    report = (await read_report(workshop.admin(), project.field_id, 2)).report
    number = len(project.test_ids) - len(copies)
    assert (report.test_set.num_documents, report.test_set.num_groups) == (24, number)
    assert second.gates is not None
    figures = {verdict.gate: verdict.figures or {} for verdict in second.gates.verdicts}
    assert figures["calibrated"]["num_documents"] == number
    # The two predict all alike. Of so many documents none would be surer than this, and as one text
    # is a third of the test set, the interval is wider still.
    alike = accuracy_difference(0, 0, number).interval
    assert report.comparison is not None
    low = report.comparison.accuracy.difference.low
    assert figures["max_accuracy_loss"]["low"] == pytest.approx(low)
    assert -1 < low < alike.low


@pytest.mark.slow
async def test_what_nobody_can_tell_is_not_promoted_and_the_history_says_so(
    workshop: Workshop,
) -> None:
    project = await gated(workshop, {**STRICT, "promote_after_evaluation": True}, trained=1)
    await train_another(workshop, project)
    await workshop.evaluate(project, model_version=1)

    second = await workshop.evaluate(project, model_version=2)

    # 12 documents tell little.
    assert (second.is_promoted, outcomes(second)) == (False, {"max_accuracy_loss": "cannot_tell"})
    assert await serving(workshop, project) == 1
    assert await actions(workshop) == [("promoted", 1), ("refused", 2)]


async def test_without_being_asked_to_nothing_is_promoted(workshop: Workshop) -> None:
    project = await gated(workshop, LENIENT, trained=1)

    result = await workshop.evaluate(project, model_version=1)

    assert (result.is_promoted, outcomes(result)) == (None, {"max_accuracy_loss": "passed"})
    assert await actions(workshop) == []


@pytest.mark.slow
async def test_a_version_is_compared_on_the_test_set_that_both_know(workshop: Workshop) -> None:
    project = await gated(workshop, {**LENIENT, "promote_after_evaluation": True}, trained=1)
    await train_another(workshop, project)
    await workshop.evaluate(project, model_version=1)
    await workshop.execute(
        "UPDATE document_label SET is_training_data = true WHERE document_id = :d",
        d=project.test_ids[0],
    )

    other = await workshop.evaluate(project, model_version=2)
    assert other.gates is not None
    (verdict,) = other.gates.verdicts
    assert (verdict.outcome, verdict.figures) == ("cannot_tell", None)
    assert "version 1 was not evaluated on the same test documents" in verdict.says

    await workshop.evaluate(project, model_version=1)
    assert (await workshop.evaluate(project, model_version=2)).is_promoted


@pytest.mark.slow
async def test_recent_predictions_of_the_version_that_serves_are_predicted_again(
    workshop: Workshop,
) -> None:
    config = {"gates": {"max_changed_share": 0.3}, "promote_after_evaluation": True}
    project = await gated(workshop, config, trained=1)
    await train_another(workshop, project)
    await workshop.evaluate(project, model_version=1)

    unknown = await workshop.evaluate(project, model_version=2)
    assert unknown.gates is not None
    assert unknown.gates.verdicts[0].figures is None
    assert "predict some with it" in unknown.gates.verdicts[0].says

    await workshop.predict(project)
    told = await workshop.evaluate(project, model_version=2)
    assert told.gates is not None
    figures = told.gates.verdicts[0].figures
    assert figures is not None
    assert (figures["num_documents"], figures["num_changed"]) == (len(project.document_ids), 0)
    assert told.is_promoted


async def test_confidences_of_few_documents_tell_nothing(workshop: Workshop) -> None:
    project = await gated(workshop, {"gates": {"calibrated": True}}, trained=1)

    result = await workshop.evaluate(project, model_version=1)

    assert outcomes(result) == {"calibrated": "cannot_tell"}
    assert result.gates is not None
    figures = result.gates.verdicts[0].figures
    assert figures is not None
    assert figures["num_documents"] == len(project.test_ids)


@pytest.mark.slow_variants
@pytest.mark.parametrize("config", [{"gates": {"accuracy": 1}}, {"promote": True}])
async def test_gates_that_are_not_understood_are_told_and_promote_nothing(
    workshop: Workshop, config: dict[str, Any]
) -> None:
    project = await gated(workshop, config, trained=1)

    result = await workshop.evaluate(project, model_version=1)

    assert (result.gates, result.is_promoted) == (None, None)
    assert any("field.config" in warning for warning in result.warnings)
    assert await serving(workshop, project) is None


@pytest.mark.slow
async def test_one_promoted_while_another_is_evaluated_is_what_it_is_held_against(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await gated(workshop, {**LENIENT, "promote_after_evaluation": True}, trained=3)
    await workshop.evaluate(project, model_version=1)
    outcome_of, promoted = gating.outcome_of, list[int]()

    async def promote_another_then(*arguments: Any) -> GatingOutcome:
        outcome = await outcome_of(*arguments)
        if not promoted:
            promoted.append(2)
            async with workshop.sessions.begin() as other:
                await versions.promote(other, project.field_id, 2, ANNA)
        return outcome

    monkeypatch.setattr(gating, "outcome_of", promote_another_then)
    result = await workshop.evaluate(project, model_version=3)

    assert result.gates is not None
    assert (result.gates.against, result.is_promoted) == (2, False)
    assert "was compared with version 1, and version 2 serves" in result.gates.verdicts[0].says
    assert await serving(workshop, project) == 2
    assert await actions(workshop) == [("promoted", 1), ("promoted", 2), ("refused", 3)]


@pytest.mark.slow
async def test_a_promotion_and_an_evaluation_of_one_version_wait_for_each_other_in_order(
    workshop: Workshop,
) -> None:
    project = await gated(workshop, {**LENIENT, "promote_after_evaluation": True})
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
    waiting += "AND datname = current_database()"

    async with workshop.sessions.begin() as session:
        await versions.lock_versions(session, project.field_id)
        evaluation = asyncio.create_task(workshop.evaluate(project, model_version=2))
        while not evaluation.done() and not await workshop.rows(waiting):
            await asyncio.sleep(0.02)
        await versions.promote(session, project.field_id, 2, ANNA)
    result = await evaluation

    # Somebody else has promoted it.
    assert result.is_promoted is None
    assert await serving(workshop, project) == 2
    assert await actions(workshop) == [("promoted", 2)]


@pytest.mark.slow
async def test_the_report_compares_with_the_version_that_would_be_replaced(
    workshop: Workshop,
) -> None:
    project = await gated(workshop, {})
    await workshop.execute("UPDATE model SET promoted_at = now() WHERE version = 1")
    first = await workshop.evaluate(project, model_version=1)
    second = await workshop.evaluate(project, model_version=2)

    reports = [
        json.loads((Path(result.report_path or "") / "report.json").read_text())
        for result in (first, second)
    ]

    # Version 2 was not evaluated when version 1 was.
    assert reports[0]["comparison"] is None
    compared = reports[1]["comparison"]
    assert compared["name"] == "version 1"
    assert "the same model as version 1" in compared["message"]
    assert compared["num_documents"] == len(project.test_ids)
    assert compared["changes"]["num_training_documents"] == [18, 18]
    assert compared["changes"]["num_labels_added"] == 0


@pytest.mark.slow
async def test_what_another_program_has_written_of_a_version_ends_no_evaluation(
    workshop: Workshop,
) -> None:
    project = await gated(workshop, LENIENT)
    await workshop.evaluate(project, model_version=1)
    await workshop.execute(
        "UPDATE model SET promoted_at = now(), manifest = manifest || CAST(:m AS jsonb), "
        "metrics = metrics || CAST(:n AS jsonb) WHERE version = 1",
        m=json.dumps({"spec": [], "library_versions": {"numpy": 2}, "model_digest": 7}),
        n=json.dumps({"num_documents": "many", "num_classes": -1}),
    )

    result = await workshop.evaluate(project, model_version=2)

    assert outcomes(result) == {"max_accuracy_loss": "passed"}
    await workshop.execute("UPDATE model SET test_errors = NULL WHERE version = 1")
    result = await workshop.evaluate(project, model_version=2)
    assert outcomes(result) == {"max_accuracy_loss": "cannot_tell"}


@pytest.mark.slow
@pytest.mark.parametrize("column", ["metrics", "manifest"])
async def test_no_row_of_another_program_keeps_versions_from_being_evaluated(
    workshop: Workshop, column: str
) -> None:
    project = await gated(workshop, LENIENT)
    await workshop.execute("UPDATE field SET serve = 'newest'")
    await workshop.evaluate(project, model_version=2)
    test_set = (await workshop.rows("SELECT metrics FROM model ORDER BY version"))[1]["metrics"]
    high = {"evaluation": {"accuracy": "high", "macro_f1": {}}, "test_set": test_set["test_set"]}
    for odd in ("[]", "null", "1e400", json.dumps(high)):
        await workshop.execute(
            f"UPDATE model SET {column} = CAST(:odd AS jsonb) WHERE version = 1",
            odd=odd,
        )

        result = await workshop.evaluate(project, model_version=2)

        assert (result.status, result.model_version) == ("completed", 2), odd
