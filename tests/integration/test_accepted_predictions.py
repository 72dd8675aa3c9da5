"""Predictions that count without a look, and those that somebody is to review."""

import json
from pathlib import Path
from typing import Any

import pytest

from lexiclass.report.acceptance import TARGETS
from lexiclass_worker.errors import NoCertifiedThreshold
from lexiclass_worker.repositories import predictions
from tests.integration.test_bulk_prediction import CHUNKS, PredictionPost, post, row
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

__all__ = ["post"]

MARKS = "SELECT document_id, confidence, is_accepted FROM prediction ORDER BY document_id"
ACCEPTED = {"accuracy": 0.9}


async def evaluated(workshop: Workshop) -> SmallProject:
    """A project whose model is right so often that an accuracy of 90 % is certain."""
    project = await workshop.project(training=12, test=15)
    await workshop.train(project)
    await workshop.evaluate(project)
    return project


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_an_evaluation_says_from_which_confidence_on_an_accuracy_is_certain(
    workshop: Workshop,
) -> None:
    project = await evaluated(workshop)

    kept = (await workshop.row("SELECT metrics FROM model"))["metrics"]["evaluation"]["acceptance"]

    assert [found["target"] for found in kept] == list(TARGETS)
    assert 0 <= kept[0]["threshold"] < 1
    assert kept[0]["guaranteed"] >= 0.9
    assert kept[0]["num_documents"] == round(kept[0]["accepted"] * len(project.test_ids))
    # 45 documents show no accuracy of 99 %, were they all right.
    assert kept[-1] == {
        "target": 0.99, "threshold": None, "accepted": 0.0, "accuracy": None, "guaranteed": None,
        "num_documents": 0,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("few_bytes", [0, 10**6])
async def test_each_prediction_is_accepted_or_to_be_reviewed(
    workshop: Workshop, few_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "_FEW_BYTES", few_bytes)
    project = await evaluated(workshop)
    confidences = sorted(found["confidence"] for found in (await predicted(workshop, project)))
    middle = confidences[len(confidences) // 2] - 1e-5

    result = await workshop.predict(project, message_id="m", accept_at={"confidence": middle})

    rows = await workshop.rows(MARKS)
    assert all(found["is_accepted"] == (found["confidence"] >= middle) for found in rows)
    accepted = sum(found["is_accepted"] for found in rows)
    assert 0 < accepted < len(rows)
    assert (result.accept_from, result.num_accepted) == (middle, accepted)
    assert result.num_to_review == result.predictions_created - accepted
    marks = {line["document_id"]: line["is_accepted"] for line in history(workshop, project)}
    assert marks == {found["document_id"]: found["is_accepted"] for found in rows}


async def predicted(workshop: Workshop, project: SmallProject) -> list[dict[str, Any]]:
    await workshop.predict(project)
    return await workshop.rows(MARKS)


def history(workshop: Workshop, project: SmallProject) -> list[dict[str, Any]]:
    return lines_of(workshop.history(project, "m"))


@pytest.mark.slow
async def test_an_accuracy_stands_for_the_confidence_that_was_certified(
    workshop: Workshop,
) -> None:
    project = await evaluated(workshop)

    result = await workshop.predict(project, accept_at=ACCEPTED)

    evaluation = (await workshop.row("SELECT metrics FROM model"))["metrics"]["evaluation"]
    assert result.accept_from == evaluation["acceptance"][0]["threshold"]
    assert result.num_accepted is not None
    assert result.num_accepted > 0


@pytest.mark.slow
async def test_whoever_does_not_ask_marks_nothing(workshop: Workshop) -> None:
    project = await evaluated(workshop)
    await workshop.predict(project, accept_at=ACCEPTED)

    result = await workshop.predict(project, message_id="m")

    assert (result.accept_from, result.num_accepted, result.num_to_review) == (None, None, None)
    assert {found["is_accepted"] for found in await workshop.rows(MARKS)} == {None}
    assert all("is_accepted" not in line for line in history(workshop, project))


@pytest.mark.slow
async def test_the_same_message_twice_marks_the_same(workshop: Workshop) -> None:
    project = await evaluated(workshop)
    task = workshop.context("m")
    first = await workshop.predict(project, context=task, accept_at=ACCEPTED)
    rows = await workshop.rows("SELECT * FROM prediction ORDER BY id")

    assert await workshop.predict(project, context=task, accept_at=ACCEPTED) == first
    assert await workshop.rows("SELECT * FROM prediction ORDER BY id") == rows


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("accuracy", "says"),
    [(0.99, "more test documents"), (0.97, r"none that evaluations look at \(0.9, 0.95")],
)
async def test_an_accuracy_that_is_not_certified_is_an_error_that_names_those_that_are(
    workshop: Workshop, accuracy: float, says: str
) -> None:
    project = await evaluated(workshop)

    with pytest.raises(NoCertifiedThreshold, match=says) as raised:
        await workshop.predict(project, accept_at={"accuracy": accuracy})

    assert "certified are 0.9" in raised.value.message
    certified = raised.value.details["certified"]
    assert [found["accuracy"] for found in certified] == list(TARGETS)
    assert await workshop.rows(MARKS) == []


@pytest.mark.slow
async def test_the_evaluation_of_another_version_certifies_nothing(workshop: Workshop) -> None:
    project = await evaluated(workshop)
    await workshop.train(project)

    with pytest.raises(NoCertifiedThreshold, match=r"version 2 .* has not been evaluated"):
        await workshop.predict(project, accept_at=ACCEPTED)

    result = await workshop.predict(project, accept_at=ACCEPTED, model_version=1)
    assert result.model_version == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "written", ['"none"', "{}", '{"evaluation": {"acceptance": [{"target": "high"}]}}']
)
async def test_what_another_program_has_written_certifies_nothing(
    workshop: Workshop, written: str
) -> None:
    project = await evaluated(workshop)
    await workshop.execute("UPDATE model SET metrics = CAST(:m AS jsonb)", m=written)

    with pytest.raises(NoCertifiedThreshold, match="has not been evaluated"):
        await workshop.predict(project, accept_at=ACCEPTED)


@pytest.mark.slow
async def test_all_chunks_have_the_threshold_that_their_task_found(
    workshop: Workshop, post: PredictionPost
) -> None:
    project = await evaluated(workshop)
    await workshop.predict(project, accept_at=ACCEPTED)
    whole = await workshop.rows(MARKS)
    await workshop.execute("DELETE FROM prediction")
    evaluation = (await workshop.row("SELECT metrics FROM model"))["metrics"]["evaluation"]

    await post.divide(project, accept_at=ACCEPTED)
    # Another evaluation in between changes nothing for chunks that wait.
    await workshop.execute("UPDATE model SET metrics = '{}'")
    result = await post.hand_over_all()

    threshold = evaluation["acceptance"][0]["threshold"]
    chunks = await workshop.rows(CHUNKS)
    assert {chunk["request"]["accept_from"] for chunk in chunks} == {threshold}
    assert await workshop.rows(MARKS) == whole
    accepted = sum(found["is_accepted"] for found in whole)
    assert result == (await row(workshop))["result"]
    assert (result["accept_from"], result["num_accepted"]) == (threshold, accepted)
    assert result["num_to_review"] == len(whole) - accepted


DAMAGE: tuple[dict[str, Any], ...] = (
    {"threshold": -1}, {"threshold": "NaN"}, {"threshold": "0"}, {"threshold": False},
    {"threshold": 1e308}, {"guaranteed": 0.1}, {"guaranteed": None}, {"num_documents": -5},
)  # fmt: skip


@pytest.mark.slow
async def test_nothing_is_accepted_by_a_threshold_that_no_evaluation_certifies(
    workshop: Workshop,
) -> None:
    project = await evaluated(workshop)
    as_evaluated = (await workshop.row("SELECT metrics FROM model"))["metrics"]
    for damage in DAMAGE:
        await workshop.execute(
            "UPDATE model SET metrics = jsonb_set(CAST(:metrics AS jsonb),"
            " '{evaluation,acceptance,0}',"
            " CAST(:metrics AS jsonb) #> '{evaluation,acceptance,0}' || CAST(:damage AS jsonb))",
            metrics=json.dumps(as_evaluated),
            damage=json.dumps(damage),
        )

        with pytest.raises(NoCertifiedThreshold):
            await workshop.predict(project, accept_at=ACCEPTED)
        assert not await workshop.rows(MARKS), damage
