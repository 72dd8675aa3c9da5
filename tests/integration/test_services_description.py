"""What files tell of a document: what is like it, and what was predicted of it."""

import pytest

from lexiclass_core import layout
from lexiclass_core.schemas import DescribeDocument, DescribeResult
from lexiclass_worker.errors import NotFound
from lexiclass_worker.services import description
from lexiclass_worker.services.description import describe_document
from tests.support.corpora import SmallProject
from tests.support.services import Workshop


async def describe(
    workshop: Workshop, project: SmallProject, document_id: int, **arguments: int
) -> DescribeResult:
    request = DescribeDocument(project_id=project.project_id, document_id=document_id, **arguments)
    return await describe_document(workshop.context(), request)


async def test_each_version_is_quoted_with_its_probabilities(workshop: Workshop) -> None:
    project = await workshop.project()
    await workshop.train(project)
    await workshop.predict(project, accept_at={"confidence": 1.0})
    await workshop.train(project)
    await workshop.predict(project, document_ids=project.document_ids[:2])
    number = project.document_ids[0]

    found = await describe(workshop, project, number)

    assert [each.model_version for each in found.predictions] == [2, 1]
    newer, older = found.predictions
    assert (newer.is_accepted, older.is_accepted) == (None, False)
    for each in found.predictions:
        assert each.document_id == number
        assert each.field_id == project.field_id
        assert each.scores[each.predicted_class] == pytest.approx(each.confidence, abs=1e-5)
        assert sum(each.scores.values()) == pytest.approx(1, abs=1e-4)
        assert each.known_words is not None
    rest = await describe(workshop, project, project.document_ids[-1])
    assert [each.model_version for each in rest.predictions] == [1]


async def test_what_is_like_a_document_is_found_in_the_index(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=2)
    number, *others = project.document_ids
    none = await describe(workshop, project, number)
    assert none.similar == []
    assert "index its documents first" in (none.why_none or "")

    await workshop.index(project)
    found = await describe(workshop, project, number, limit=3)

    assert found.why_none is None
    assert len(found.similar) == 3
    assert {each.document_id for each in found.similar} <= set(others)
    cosines = [each.similarity for each in found.similar]
    assert cosines == sorted(cosines, reverse=True)
    assert all(0 < cosine <= 1 for cosine in cosines)
    best = found.similar[0].document_id
    await workshop.erase(project, best)
    again = await describe(workshop, project, number, limit=100)
    assert best not in {each.document_id for each in again.similar}
    assert (await describe(workshop, project, number, limit=0)).similar == []


async def test_a_document_of_another_project_is_not_described(workshop: Workshop) -> None:
    project, other = await workshop.project(), await workshop.project()
    with pytest.raises(NotFound):
        await describe(workshop, project, other.document_ids[0])


async def test_lines_that_are_no_predictions_are_left_out(workshop: Workshop) -> None:
    project = await workshop.project()
    await workshop.train(project)
    await workshop.predict(project)
    number = project.document_ids[0]
    folder = layout.predictions_directory(project.project_id, project.field_id, 1)
    odd = (
        f'{{"document_id": {number}', f"[{number}]", f'{{"document_id": "{number}"}}',
        f'{{"document_id": {number}, "confidence": "high", "scores": [1], "known_words": {{}}}}',
        f'{{"document_id": {number}, "scores": {{"a": 1e400, "b": true, "c": 0.5}}}}', "[" * 9_999,
    )  # fmt: skip
    (workshop.path / folder / "another.jsonl").write_text("\n".join(odd))

    found = await describe(workshop, project, number)

    by_file = {each.message_id: each for each in found.predictions}
    assert len(found.predictions) == 3
    assert by_file["another"].confidence == 0
    assert by_file["another"].scores == {"c": 0.5}


@pytest.mark.slow
async def test_any_number_of_lines_of_any_size_takes_little(workshop: Workshop) -> None:
    project = await workshop.project()
    await workshop.train(project)
    await workshop.train(project)
    number = project.document_ids[0]
    line = f'{{"document_id": {number}, "predicted_class": "a", "confidence": 0.5}}'
    folder = layout.predictions_directory(project.project_id, project.field_id, 2)
    (workshop.path / folder).mkdir(parents=True)
    long = line.replace('"a"', f'"{"long" * 300_000}"')
    (workshop.path / folder / "a.jsonl").write_text("\n".join([long, *[line] * 60]))
    (workshop.path / folder / "b.jsonl").write_text("\n".join([line] * 5_000))

    found = await describe(workshop, project, number, limit=0)

    assert len(found.predictions) == 100
    assert {each.predicted_class for each in found.predictions} == {"a"}
    # The older version was not looked at any more.
    assert found.num_left_out == 1


@pytest.mark.slow
async def test_what_all_histories_hold_together_is_bounded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await workshop.project()
    number = project.document_ids[0]
    line = f'{{"document_id": {number}, "predicted_class": "a", "confidence": 0.5}}\n'
    for version in (1, 2, 3):
        await workshop.train(project)
        folder = layout.predictions_directory(project.project_id, project.field_id, version)
        (workshop.path / folder).mkdir(parents=True)
        (workshop.path / folder / "a.jsonl").write_text(line)
    monkeypatch.setattr(description, "_MOST_BYTES", 2 * len(line))

    found = await describe(workshop, project, number, limit=0)

    assert [each.model_version for each in found.predictions] == [3, 2]
    assert found.num_left_out == 1
