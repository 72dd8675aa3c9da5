"""What a report says of documents comes from the project's index, where there is one."""

from typing import Any

import pytest
from pydantic import ValidationError

from lexiclass.report.model import Report
from lexiclass_core.schemas import EvaluateFieldModel
from lexiclass_worker.admin.reports import read_report
from lexiclass_worker.repositories import labels
from tests.support.corpora import SmallProject
from tests.support.services import Workshop


async def report_of(workshop: Workshop, project: SmallProject, **arguments: Any) -> Report:
    await workshop.evaluate(project, **arguments)
    kept = await read_report(workshop.admin(), project.field_id, 1)
    return kept.report


async def test_baselines_copies_and_scripts_are_read_from_the_index(workshop: Workshop) -> None:
    project = await workshop.project(training=12, test=8)
    first, *others = project.test_ids
    text = workshop.document(project, first).read_text()
    of_another_class = next(
        each for each in others if project.true_class[each] != project.true_class[first]
    )
    # The same words with another label.
    workshop.document(project, of_another_class).write_text(text.upper() + "\n")
    cyrillic = [each for each in others if each != of_another_class][:11]
    for document_id in cyrillic:
        workshop.document(project, document_id).write_text(f"письмо и ответ {document_id} раз")
    await workshop.train(project)
    await workshop.index(project)

    report = await report_of(workshop, project)

    majority, nearest, linear = report.baselines
    for each in (majority, nearest):
        assert each.missing is None
        assert each.num_training_documents == len(project.training_ids)
        assert each.num_documents == len(project.test_ids)
    assert linear.missing is None or "the model itself" in linear.missing
    assert report.test_set.num_groups is not None
    assert report.test_set.num_groups < len(project.test_ids)
    (finding,) = (each for each in report.findings if each.code == "LX008")
    assert set(finding.documents) == {first, of_another_class}
    scripts = {each.value: each.num_documents for each in report.slices if each.by == "script"}
    assert scripts == {"Cyrillic": 11, "Latin": len(project.test_ids) - 11}


@pytest.mark.slow
async def test_without_an_index_the_report_says_why_there_is_less(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)

    report = await report_of(workshop, project)

    majority, nearest, _ = report.baselines
    assert majority.accuracy is not None
    assert nearest.missing == "the project has no index with the model's tokenizer and locale"
    assert report.test_set.num_groups is None


@pytest.mark.slow
async def test_test_documents_that_the_index_does_not_hold_are_like_no_others(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    lost = project.test_ids[:4]
    texts = {each: workshop.document(project, each).read_text() for each in lost}
    for each in lost:
        workshop.document(project, each).unlink()
    await workshop.index(project)
    for each, text in texts.items():
        workshop.document(project, each).write_text(text)

    report = await report_of(workshop, project)

    assert report.test_set.num_documents == len(project.test_ids)
    _, nearest, _ = report.baselines
    assert nearest.num_documents == len(project.test_ids) - 4
    assert report.test_set.num_groups is not None
    assert report.test_set.num_groups >= 4


@pytest.mark.slow
async def test_documents_are_divided_by_folder_and_by_keys_that_are_asked_for(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=6, test=12)
    await workshop.train(project)
    hostile = "<b>%s {x} \u202e" + "y" * 500
    await workshop.execute(
        "UPDATE document SET metadata = jsonb_build_object("
        "'source', CASE WHEN id % 2 = 0 THEN 'mail/2024/' || id || '.txt' ELSE id || '.txt' END, "
        "'pages', id % 2, 'nested', jsonb_build_object('a', id), CAST(:key AS text), id % 2 = 0) "
        "WHERE id = ANY(:ids)",
        ids=project.test_ids,
        key=hostile[:200],
    )

    report = await report_of(workshop, project, slice_by=["pages", "nested", hostile[:200]])

    found = {(each.by, each.value): each.num_documents for each in report.slices}
    even = sum(each % 2 == 0 for each in project.test_ids)
    assert found["folder", "mail/2024"] == even
    assert found["pages", "0"] == even
    assert found[hostile[:200], "true"] == even
    assert not any(by == "nested" for by, _ in found)


async def test_documents_that_are_deleted_meanwhile_shift_no_others(workshop: Workshop) -> None:
    project = await workshop.project(training=0, test=3)
    first, second, *_ = project.test_ids
    await workshop.execute(
        "UPDATE document SET metadata = jsonb_build_object('source', 'of/' || id || '/a.txt')"
    )
    await workshop.execute("DELETE FROM document WHERE id = :id", id=first)

    async with workshop.sessions() as session:
        columns = await labels.columns_of(session, [second, first, second], ["pages"])

    assert columns == {"folder": [f"of/{second}", None, f"of/{second}"], "pages": [None] * 3}


@pytest.mark.parametrize(
    "keys", [["x"] * 11, [""], ["y" * 201], "key", [1]], ids=lambda keys: str(keys)[:10]
)
def test_keys_that_cannot_be_are_refused(keys: Any) -> None:
    with pytest.raises(ValidationError):
        EvaluateFieldModel(project_id=1, field_id=1, slice_by=keys)
