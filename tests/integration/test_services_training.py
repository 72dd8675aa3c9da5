"""Training, called as a script would call it."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from lexiclass_worker.errors import NotEnoughDocuments, NotFound, NoTrainingLabels, WorkerError
from lexiclass_worker.repositories import model_versions
from tests.support.corpora import SmallProject, add_document, add_label, insert, make_text
from tests.support.services import Workshop, content_below

MODELS = "SELECT * FROM model ORDER BY version"


async def relabel(workshop: Workshop, project: SmallProject, label: str) -> None:
    """Give every document of a project the same class."""
    await workshop.execute(
        "UPDATE document_label SET class_id = :class_id", class_id=project.class_ids[label]
    )


async def test_a_version_is_trained_and_every_row_says_so(workshop: Workshop) -> None:
    project = await workshop.project(training=8, test=2)
    message_id = str(uuid.uuid4())

    result = await workshop.train(project, message_id=message_id, feature_extractor="tfidf")

    model = await workshop.row(MODELS)
    assert result.status == "completed"
    assert (result.model_id, result.model_version) == (model["id"], 1)
    assert (model["status"], model["message_id"]) == ("ready", message_id)
    assert model["trained_at"] is not None
    assert model["metrics"] == result.metrics.model_dump()
    assert (result.metrics.num_documents, result.metrics.num_classes) == (24, 3)
    assert result.metrics.num_features > 10
    assert result.metrics.num_calibration_documents == result.metrics.num_documents < 100
    assert ["confidences were fitted on 24" in warning for warning in result.warnings] == [True]
    assert result.metrics.feature_extractor == "tfidf"
    assert {"read", "features", "classifier", "save"} <= result.metrics.seconds.keys()
    row = await workshop.row("SELECT * FROM project")
    assert (row["model_status"], row["last_trained_at"]) == ("ready", model["trained_at"])


async def test_a_model_carries_its_pipeline_its_classes_and_where_it_comes_from(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)

    await workshop.train(project, message_id="m", locale="de", classifier_params={"C": 0.5})

    manifest = json.loads((workshop.model(project) / "manifest.json").read_bytes())
    assert manifest["spec"]["locale"] == "de"
    assert manifest["spec"]["classifier_params"]["C"] == 0.5
    assert manifest["spec"]["seed"] == workshop.settings.lexiclass_random_seed
    assert manifest["metadata"] == {
        "project_id": project.project_id,
        "field_id": project.field_id,
        "model_version": 1,
        "message_id": "m",
        "class_ids": project.class_ids,
    }


async def test_the_same_message_twice_is_one_version_and_changes_nothing(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)
    first = await workshop.train(project, message_id="m")
    rows = await workshop.rows(MODELS), await workshop.rows("SELECT * FROM project")
    manifest = workshop.model(project) / "manifest.json"
    written = manifest.stat().st_mtime_ns

    second = await workshop.train(project, message_id="m")

    assert second == first
    assert (await workshop.rows(MODELS), await workshop.rows("SELECT * FROM project")) == rows
    assert manifest.stat().st_mtime_ns == written


@pytest.mark.slow
async def test_each_message_makes_the_next_version(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=0)

    versions = [(await workshop.train(project)).model_version for _ in range(3)]

    assert versions == [1, 2, 3]
    assert all(
        (workshop.model(project, version) / "manifest.json").is_file() for version in versions
    )


@pytest.mark.slow
async def test_two_trainings_of_one_field_at_once_get_versions_of_their_own(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)

    results = await asyncio.gather(workshop.train(project), workshop.train(project))

    assert sorted(result.model_version for result in results) == [1, 2]
    assert [model["status"] for model in await workshop.rows(MODELS)] == ["ready", "ready"]


@pytest.mark.slow
@pytest.mark.parametrize(("second_message", "version"), [("another", 2), ("one", 1)])
async def test_a_version_is_numbered_after_the_one_that_is_being_made(
    workshop: Workshop, second_message: str, version: int
) -> None:
    project = await workshop.project(training=0, test=0)
    async with workshop.sessions.begin() as second:
        async with workshop.sessions.begin() as first:
            await model_versions.begin_version(first, project.field_id, "one")
            waiting = asyncio.create_task(
                model_versions.begin_version(second, project.field_id, second_message)
            )
            _, pending = await asyncio.wait([waiting], timeout=0.3)
            assert pending  # the first transaction has yet to end

        assert (await waiting).version == version


async def test_one_message_delivered_twice_at_once_makes_one_version(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=0)

    results = await asyncio.gather(
        *(workshop.train(project, message_id="m") for _ in range(2)), return_exceptions=True
    )

    # The slower one may find the files there and be told to try again; it fails nothing.
    failures = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, WorkerError | OSError) for error in failures), failures
    assert len(failures) < 2
    assert [(model["version"], model["status"]) for model in await workshop.rows(MODELS)] == [
        (1, "ready")
    ]
    assert (await workshop.train(project, message_id="m")).model_version == 1


@pytest.mark.slow
async def test_two_trainings_on_the_same_data_are_equal(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=0)

    await workshop.train(project)
    await workshop.train(project)

    one, two = (
        {
            str(file.relative_to(workshop.model(project, version))): file.read_bytes()
            for file in workshop.model(project, version).rglob("*")
            if file.is_file() and file.name != "manifest.json"
        }
        for version in (1, 2)
    )
    assert one == two
    assert one


@pytest.mark.parametrize("who", ["project", "field", "another project's field"])
async def test_what_does_not_exist_is_not_found(workshop: Workshop, who: str) -> None:
    project = await workshop.project(training=2, test=0)
    other = await workshop.project(training=2, test=0)
    wrong: dict[str, Any] = {
        "project": {"project_id": 4711},
        "field": {"field_id": 4711},
        "another project's field": {"field_id": other.field_id},
    }[who]

    with pytest.raises(NotFound, match=r"4711|has no field") as raised:
        await workshop.train(project, **wrong)

    assert raised.value.code == "NOT_FOUND"
    assert await workshop.rows(MODELS) == []


async def test_a_field_without_training_labels_says_what_to_do(workshop: Workshop) -> None:
    project = await workshop.project(training=0, test=3)

    with pytest.raises(NoTrainingLabels, match="is_training_data = true"):
        await workshop.train(project)

    assert await workshop.rows(MODELS) == []
    assert (await workshop.row("SELECT model_status FROM project"))["model_status"] == "pending"


async def test_one_class_is_not_enough(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=0)
    await relabel(workshop, project, "animals")

    with pytest.raises(NotEnoughDocuments, match=r"9 training labels in 1 classes \(animals\)"):
        await workshop.train(project)


async def test_one_document_is_not_enough(workshop: Workshop) -> None:
    project = await workshop.project(training=0, test=0)
    async with workshop.sessions.begin() as session:
        document_id = await add_document(session, workshop.path, project.project_id, "cat")
        await add_label(session, project, document_id, "animals", is_training_data=True)

    with pytest.raises(NotEnoughDocuments, match="1 training labels"):
        await workshop.train(project)


@pytest.mark.slow
async def test_two_documents_of_two_classes_are_enough(workshop: Workshop) -> None:
    project = await workshop.project(labels=("animals", "vehicles"), training=1, test=0)

    result = await workshop.train(project, classifier_params={"calibration": "none"})

    assert (result.metrics.num_documents, result.metrics.num_classes) == (2, 2)


async def test_test_documents_are_not_trained_on(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=2)
    for document_id in project.test_ids:
        workshop.document(project, document_id).write_text("quagga " * 30)

    result = await workshop.train(project)

    assert result.metrics.num_documents == len(project.training_ids)
    stored = content_below(workshop.model(project))
    assert b"whisker" in stored
    assert b"quagga" not in stored


async def test_documents_that_cannot_be_read_are_left_out_and_counted(workshop: Workshop) -> None:
    project = await workshop.project(training=5, test=0)
    missing, binary, *rest = project.document_ids
    workshop.document(project, missing).unlink()
    workshop.document(project, binary).write_bytes(b"\0\0")

    result = await workshop.train(project)

    assert (result.metrics.num_documents, result.metrics.num_skipped) == (len(rest), 2)


async def test_what_is_left_after_skipping_must_still_be_enough(workshop: Workshop) -> None:
    project = await workshop.project(labels=("animals", "vehicles"), training=2, test=0)
    for document_id in project.document_ids:
        if project.true_class[document_id] == "vehicles":
            workshop.document(project, document_id).unlink()

    with pytest.raises(WorkerError) as raised:
        await workshop.train(project)

    assert raised.value.code == "NOT_ENOUGH_DOCUMENTS"
    assert (await workshop.row(MODELS))["status"] == "failed"


async def test_documents_that_are_all_missing_fail_the_version(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    for document_id in project.document_ids:
        workshop.document(project, document_id).unlink()

    with pytest.raises(WorkerError, match="none of the 6 training documents") as raised:
        await workshop.train(project)

    assert raised.value.code == "NO_DOCUMENTS"
    assert not raised.value.retryable


async def test_blank_documents_leave_no_vocabulary(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=0)
    for document_id in project.document_ids:
        workshop.document(project, document_id).write_text(" \n\t")

    with pytest.raises(WorkerError) as raised:
        await workshop.train(project)

    assert raised.value.code == "EMPTY_VOCABULARY"


@pytest.mark.slow
async def test_some_blank_documents_do_no_harm(workshop: Workshop) -> None:
    project = await workshop.project(training=5, test=0)
    workshop.document(project, project.document_ids[0]).write_text("")

    assert (await workshop.train(project)).metrics.num_documents == 15


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ({"tokenizer": "icuu"}, "PLUGIN_NOT_FOUND", "icu"),
        ({"feature_extractor": "tfif"}, "PLUGIN_NOT_FOUND", "tfidf"),
        ({"classifier": "sv"}, "PLUGIN_NOT_FOUND", "svm"),
        ({"classifier_params": {"C": -1}}, "VALIDATION_ERROR", "C"),
        ({"classifier_params": {"D": 1}}, "VALIDATION_ERROR", "D"),
        ({"feature_extractor_params": {"min_df": "many"}}, "VALIDATION_ERROR", "min_df"),
        ({"tokenizer_params": {"nonsense": True}}, "VALIDATION_ERROR", "nonsense"),
    ],
)
async def test_a_pipeline_that_cannot_be_made_uses_up_no_version(
    workshop: Workshop, arguments: dict[str, Any], code: str, says: str
) -> None:
    project = await workshop.project(training=2, test=0)

    with pytest.raises(WorkerError, match=says) as raised:
        await workshop.train(project, message_id="m", **arguments)

    assert (raised.value.code, raised.value.retryable) == (code, False)
    assert await workshop.rows(MODELS) == []
    assert (await workshop.row("SELECT model_status FROM project"))["model_status"] == "pending"
    assert not workshop.model(project).exists()


async def test_a_failed_version_is_trained_again_by_its_own_message(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    texts = {key: workshop.document(project, key).read_text() for key in project.document_ids}
    for document_id in texts:
        workshop.document(project, document_id).write_text("")
    with pytest.raises(WorkerError):
        await workshop.train(project, message_id="m")
    for document_id, content in texts.items():
        workshop.document(project, document_id).write_text(content)

    result = await workshop.train(project, message_id="m")

    model = await workshop.row(MODELS)
    assert (result.model_version, model["version"], model["status"]) == (1, 1, "ready")
    assert "error" not in model["metrics"]
    assert (await workshop.row("SELECT model_status FROM project"))["model_status"] == "ready"


async def test_a_training_that_is_stopped_says_so_in_its_version(workshop: Workshop) -> None:
    project = await workshop.project(training=60, test=0)
    training = asyncio.create_task(workshop.train(project, message_id="m"))
    await workshop.until_there_is(MODELS)

    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training

    model = await workshop.row(MODELS)
    assert (model["status"], model["metrics"]["error"]["code"]) == ("failed", "CANCELLED")
    assert not list(workshop.path.glob(".scratch/*"))


async def test_stale_files_of_a_version_are_replaced(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=0)
    stale = workshop.model(project)
    stale.mkdir(parents=True)
    (stale / "left-over").write_text("from a worker that was killed")

    await workshop.train(project)

    assert not (stale / "left-over").exists()
    assert (stale / "manifest.json").is_file()


@pytest.mark.slow
async def test_class_names_may_be_anything_a_column_holds(workshop: Workshop) -> None:
    labels = ("100 %", 'say "no"\n', "naïve 🐎")
    project = await workshop.project(labels=(), training=0, test=0)
    async with workshop.sessions.begin() as session:
        for label in labels:
            project.class_ids[label] = await insert(
                session,
                "INSERT INTO field_class (field_id, name) VALUES (:field_id, :name) RETURNING id",
                field_id=project.field_id,
                name=label,
            )
        for number in range(12):
            label = labels[number % 3]
            word = ("animals", "vehicles", "kitchen")[number % 3]
            document_id = await add_document(
                session, workshop.path, project.project_id, make_text(word, number)
            )
            await add_label(session, project, document_id, label, is_training_data=True)

    await workshop.train(project)
    await workshop.predict(project, message_id="m")

    lines = workshop.history(project, "m").read_text().splitlines()
    assert set(json.loads(lines[0])["scores"]) == set(labels)
