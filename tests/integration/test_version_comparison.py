"""Versions held against each other by what their evaluations have left in the rows."""

import pytest

from lexiclass_core import versions
from lexiclass_worker.admin.comparison import VersionComparison, compare_versions
from tests.support.commands import Run
from tests.support.corpora import SmallProject
from tests.support.services import Workshop


async def two_versions(workshop: Workshop) -> SmallProject:
    """Two that were trained on the same labels, the second on some more that are wrong."""
    project = await workshop.project(training=6, test=4)
    await workshop.train(project)
    await workshop.execute(
        "UPDATE document_label SET class_id = :id WHERE is_training_data AND document_id IN "
        "(SELECT document_id FROM document_label WHERE is_training_data AND class_id <> :id "
        "ORDER BY document_id LIMIT 5)",
        id=project.class_ids["animals"],
    )
    await workshop.train(project)
    for version in (1, 2):
        await workshop.evaluate(project, model_version=version)
    return project


async def compared(workshop: Workshop, project: SmallProject) -> VersionComparison:
    async with workshop.sessions() as session:
        return await compare_versions(session, project.field_id, [1, 2])


async def test_evaluations_are_compared_document_by_document(workshop: Workshop) -> None:
    project = await two_versions(workshop)

    found = await compared(workshop, project)

    (difference,) = found.differences
    paired = difference.comparison
    assert paired is not None
    assert paired.num_documents == len(project.test_ids)
    rows = await workshop.rows("SELECT accuracy FROM model ORDER BY version")
    assert [paired.accuracy.first, paired.accuracy.second] == [row["accuracy"] for row in rows]
    for number, part in ((0, "first"), (1, "second")):
        row = (await workshop.rows("SELECT metrics FROM model ORDER BY version"))[number]
        per_class = row["metrics"]["evaluation"]["per_class_metrics"]
        for each in paired.classes:
            assert abs(getattr(each, part) - per_class[each.name]["f1_score"]) < 1e-9
    assert len(paired.broken) == paired.num_broken == difference.only_first_right
    (changes,) = found.changes
    assert (changes.is_same_model, changes.is_same_training_set) == (False, False)
    assert (changes.num_labels_added, changes.num_labels_changed) == (0, 5)


@pytest.mark.slow
async def test_what_was_erased_leaves_comparisons_of_the_rest(workshop: Workshop) -> None:
    project = await two_versions(workshop)
    rows = await workshop.rows("SELECT test_errors FROM model")
    wrong = sorted({document for row in rows for document in row["test_errors"]})
    assert wrong
    await workshop.erase(project, wrong[0])

    for row in await workshop.rows(
        "SELECT test_errors, test_error_labels, test_error_predictions FROM model"
    ):
        assert wrong[0] not in row["test_errors"]
        assert len({len(column) for column in row.values()}) == 1
    (difference,) = (await compared(workshop, project)).differences
    assert difference.comparison is not None


def test_a_version_is_not_compared_with_itself(cli: Run) -> None:
    outcome = cli("models", "compare", 1, 1, 2, 1)

    assert outcome.status == 2
    assert "version 1 is named twice" in " ".join(outcome.err.split())


@pytest.mark.slow
async def test_what_the_rows_alone_say_is_what_the_library_says(workshop: Workshop) -> None:
    project = await two_versions(workshop)
    (by_library,) = (await compared(workshop, project)).differences

    async with workshop.sessions() as session:
        found = await versions.compare_versions(session, project.field_id, 1, 2)

    assert found.difference is not None
    assert found.difference.value == by_library.accuracy.value
    assert found.difference.documents_needed == by_library.documents_needed
    assert by_library.comparison is not None
    assert found.fixed == by_library.comparison.fixed
    assert found.broken == by_library.comparison.broken
    assert (found.is_same_model, found.is_same_training_set) == (False, False)
    assert found.is_same_test_set
    assert found.parameters == {}


@pytest.mark.slow
async def test_versions_of_different_test_sets_are_shown_without_a_verdict(
    workshop: Workshop,
) -> None:
    project = await two_versions(workshop)
    await workshop.execute(
        "UPDATE model SET metrics = jsonb_set(metrics, '{test_set,digest}', '\"other\"') "
        "WHERE version = 2"
    )
    async with workshop.sessions() as session:
        found = await versions.compare_versions(session, project.field_id, 1, 2)
        assert (found.is_same_test_set, found.difference, found.fixed) == (False, None, [])
        assert found.measures["accuracy"][0] is not None
        with pytest.raises(versions.ChangeRefused, match="compared with itself"):
            await versions.compare_versions(session, project.field_id, 2, 2)
