"""Evaluation, called as a script would call it."""

from pathlib import Path
from typing import Any

import pytest

from lexiclass_worker.errors import ModelCorrupt, NoReadyModel, NoTestLabels, NotFound, WorkerError
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

MODEL = "SELECT * FROM model"


async def trained(workshop: Workshop, **arguments: object) -> SmallProject:
    project = await workshop.project(**{"training": 6, "test": 3, **arguments})
    await workshop.train(project)
    return project


async def test_a_model_is_held_against_the_test_labels(workshop: Workshop) -> None:
    project = await trained(workshop)

    result = await workshop.evaluate(project)

    assert (result.status, result.model_version) == ("completed", 1)
    assert (result.num_test_documents, result.num_skipped) == (9, 0)
    metrics = result.metrics
    assert metrics.accuracy > 0.8
    assert metrics.confusion_matrix.classes == sorted(project.class_ids)
    matrix = metrics.confusion_matrix.matrix
    assert matrix is not None
    assert sum(map(sum, matrix)) == 9
    assert {entry.support for entry in metrics.per_class_metrics.values()} == {3}
    assert 0 <= metrics.expected_calibration_error <= 1
    model = await workshop.row(MODEL)
    assert model["accuracy"] == metrics.accuracy
    assert model["metrics"]["evaluation"] == metrics.model_dump(mode="json")
    assert model["metrics"]["num_documents"] == 18  # what the training said stays


@pytest.mark.slow
async def test_rows_are_true_classes_and_columns_predicted_ones(workshop: Workshop) -> None:
    project = await trained(workshop)
    # Every test document is labelled animals: one row holds them all.
    await workshop.execute(
        "UPDATE document_label SET class_id = :id WHERE NOT is_training_data",
        id=project.class_ids["animals"],
    )

    confusion = (await workshop.evaluate(project)).metrics.confusion_matrix
    assert confusion.matrix is not None

    row = confusion.matrix[confusion.classes.index("animals")]
    assert sum(row) == 9
    assert sum(map(sum, confusion.matrix)) == 9
    assert sum(count > 0 for count in row) == 3


async def test_evaluating_twice_changes_nothing_else(workshop: Workshop) -> None:
    project = await trained(workshop)
    first = await workshop.evaluate(project, message_id="m")

    second = await workshop.evaluate(project, message_id="m")

    assert second == first
    assert (await workshop.row(MODEL))["metrics"]["evaluation"] == first.metrics.model_dump()
    assert await workshop.rows("SELECT * FROM prediction") == []


@pytest.mark.slow
async def test_a_version_can_be_asked_for(workshop: Workshop) -> None:
    project = await trained(workshop)
    await workshop.train(project)

    result = await workshop.evaluate(project, model_version=1)

    assert result.model_version == 1
    rows = await workshop.rows("SELECT version, accuracy FROM model ORDER BY version")
    assert [row["accuracy"] is not None for row in rows] == [True, False]


@pytest.mark.slow_variants
@pytest.mark.parametrize("who", ["project", "field", "another project's field", "version"])
async def test_what_does_not_exist_is_not_found(workshop: Workshop, who: str) -> None:
    project = await trained(workshop)
    other = await trained(workshop)
    wrong: dict[str, Any] = {
        "project": {"project_id": 4711},
        "field": {"field_id": 4711},
        "another project's field": {"field_id": other.field_id},
        "version": {"model_version": 4711},
    }[who]

    with pytest.raises(NotFound, match=r"4711|has no field"):
        await workshop.evaluate(project, **wrong)


async def test_without_test_labels_there_is_nothing_to_evaluate(workshop: Workshop) -> None:
    project = await trained(workshop, test=0)

    with pytest.raises(NoTestLabels, match="is_training_data = false"):
        await workshop.evaluate(project)


async def test_without_a_model_there_is_nothing_to_evaluate(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=1)

    with pytest.raises(NoReadyModel, match="train one first"):
        await workshop.evaluate(project)


async def test_documents_that_cannot_be_read_are_left_out_and_counted(workshop: Workshop) -> None:
    project = await trained(workshop)
    workshop.document(project, project.test_ids[0]).unlink()

    result = await workshop.evaluate(project)

    assert (result.num_test_documents, result.num_skipped) == (8, 1)


@pytest.mark.slow
async def test_documents_that_are_all_missing_are_an_error(workshop: Workshop) -> None:
    project = await trained(workshop)
    for document_id in project.test_ids:
        workshop.document(project, document_id).unlink()

    with pytest.raises(WorkerError, match="none of the 9 test documents") as raised:
        await workshop.evaluate(project)

    assert raised.value.code == "NO_DOCUMENTS"
    assert (await workshop.row(MODEL))["accuracy"] is None


@pytest.mark.slow
async def test_blank_documents_can_be_evaluated(workshop: Workshop) -> None:
    project = await trained(workshop)
    for document_id in project.test_ids:
        workshop.document(project, document_id).write_text("\n")

    assert (await workshop.evaluate(project)).num_test_documents == 9


async def test_a_class_the_model_never_saw_counts_as_missed(workshop: Workshop) -> None:
    project = await trained(workshop)
    await workshop.execute(
        "WITH new AS (INSERT INTO field_class (field_id, name) VALUES (:field_id, 'zoology') "
        "RETURNING id) UPDATE document_label SET class_id = new.id FROM new "
        "WHERE document_id = :document_id",
        field_id=project.field_id,
        document_id=project.test_ids[0],
    )

    metrics = (await workshop.evaluate(project)).metrics

    assert metrics.per_class_metrics["zoology"].support == 1
    assert metrics.per_class_metrics["zoology"].recall == 0
    assert "zoology" in metrics.confusion_matrix.classes


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "named", [{"tokenizer": "spacy"}, {"feature_extractor": "tfidf"}, {"locale": "fr"}]
)
async def test_another_pipeline_than_the_models_is_an_error(
    workshop: Workshop, named: dict[str, Any]
) -> None:
    project = await trained(workshop)

    with pytest.raises(WorkerError) as raised:
        await workshop.evaluate(project, **named)

    assert raised.value.code == "PLUGIN_MISMATCH"


async def test_a_damaged_or_missing_model_is_corrupt(workshop: Workshop) -> None:
    project = await trained(workshop)
    manifest = workshop.model(project) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    with pytest.raises(WorkerError) as raised:
        await workshop.evaluate(project)
    assert raised.value.code == "MODEL_CORRUPT"

    workshop.model(project).rename(workshop.path / "moved")
    with pytest.raises(ModelCorrupt, match="are gone"):
        await workshop.evaluate(project)


async def test_test_documents_that_are_like_training_documents_are_warned_about(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=6, test=3)
    copied, other = project.training_ids[0], project.training_ids[1]
    same, nearly = project.test_ids[0], project.test_ids[1]
    text = workshop.document(project, copied).read_text()
    workshop.document(project, same).write_text(text)
    workshop.document(project, nearly).write_text(
        workshop.document(project, other).read_text() + " tail tail"
    )
    await workshop.train(project)
    await workshop.index(project)

    result = await workshop.evaluate(project)

    duplicates = result.metrics.duplicates_in_training
    assert duplicates is not None
    assert duplicates.skipped is None
    assert (duplicates.num_compared, duplicates.threshold) == (9, 0.9)
    assert set(duplicates.document_ids) >= {same, nearly}
    assert duplicates.count == len(duplicates.document_ids) < 9
    assert duplicates.accuracy_without is not None
    (warning,) = result.warnings
    assert warning.startswith(f"{duplicates.count} of 9 test documents are the same as training")
    model = await workshop.row(MODEL)
    assert model["metrics"]["evaluation"] == result.metrics.model_dump(mode="json")


@pytest.mark.slow
async def test_if_all_test_documents_are_copies_no_accuracy_is_left(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=1)
    for copied, same in zip(project.training_ids, project.test_ids, strict=False):
        text = workshop.document(project, copied).read_text()
        workshop.document(project, same).write_text(text)
    await workshop.train(project)
    await workshop.index(project)

    result = await workshop.evaluate(project)

    duplicates = result.metrics.duplicates_in_training
    assert duplicates is not None
    assert (duplicates.count, duplicates.accuracy_without) == (3, None)
    assert "there are no others" in result.warnings[0]


@pytest.mark.slow
async def test_without_an_index_copies_are_not_looked_for_and_it_is_said_why(
    workshop: Workshop,
) -> None:
    project = await trained(workshop)

    result = await workshop.evaluate(project)

    duplicates = result.metrics.duplicates_in_training
    assert duplicates is not None
    assert duplicates.skipped == "the project has no index with the model's tokenizer and locale"
    assert (duplicates.num_compared, duplicates.count, result.warnings) == (0, 0, [])


@pytest.mark.slow
async def test_copies_are_not_looked_for_where_that_takes_more_memory_than_there_is(
    workshop: Workshop,
) -> None:
    project = await trained(workshop)
    await workshop.index(project)
    workshop.sandbox.memory_limit_bytes = 2**30
    compared = (await workshop.evaluate(project)).metrics.duplicates_in_training
    assert compared is not None
    assert compared.skipped is None

    for document_id in project.training_ids:
        workshop.document(project, document_id).write_text("word " * 1_000_000)
    await workshop.index(project)
    result = await workshop.evaluate(project)

    duplicates = result.metrics.duplicates_in_training
    assert duplicates is not None
    assert "more than half of LIMITS__MEMORY_BYTES, 1,024 MiB" in (duplicates.skipped or "")


@pytest.mark.slow
async def test_a_damaged_index_does_not_keep_a_model_from_being_evaluated(
    workshop: Workshop,
) -> None:
    project = await trained(workshop)
    index = await workshop.index(project)
    before = await workshop.evaluate(project)
    (shard,) = Path(index.index_path).glob("shard-*[0-9a-f].safetensors")
    data = bytearray(shard.read_bytes())
    data[-3] ^= 1
    shard.write_bytes(data)

    result = await workshop.evaluate(project)

    assert result.metrics.accuracy == before.metrics.accuracy
    duplicates = result.metrics.duplicates_in_training
    assert duplicates is not None
    assert "index the project again" in (duplicates.skipped or "")


@pytest.mark.slow
async def test_documents_indexed_in_part_are_compared_in_part(workshop: Workshop) -> None:
    project = await trained(workshop)
    workshop.document(project, project.test_ids[0]).rename(workshop.path / "aside")
    await workshop.index(project)
    (workshop.path / "aside").rename(workshop.document(project, project.test_ids[0]))

    result = await workshop.evaluate(project)

    duplicates = result.metrics.duplicates_in_training
    assert duplicates is not None
    assert duplicates.num_compared == result.num_test_documents - 1 == 8
