"""Prediction, called as a script would call it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass_core.schemas import PredictFieldDocuments
from lexiclass_worker.admin.import_report import ImportRequest
from lexiclass_worker.admin.importing import import_corpus
from lexiclass_worker.errors import ModelCorrupt, NoDocuments, NoReadyModel, NotFound, WorkerError
from lexiclass_worker.repositories import predictions
from lexiclass_worker.services.model_files import model_files
from tests.support.corpora import SmallProject, add_document, make_text
from tests.support.services import Workshop
from tests.support.variants import examples

PREDICTIONS = "SELECT * FROM prediction ORDER BY document_id"
PREDICTED = (
    "SELECT id, document_id, class_id, confidence, metadata FROM prediction ORDER BY document_id"
)


async def trained(workshop: Workshop, **arguments: object) -> SmallProject:
    """A project with one ready model."""
    project = await workshop.project(**{"training": 8, "test": 2, **arguments})
    await workshop.train(project)
    return project


def read_history(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_every_document_of_a_project_is_predicted(workshop: Workshop) -> None:
    project = await trained(workshop)

    result = await workshop.predict(project, message_id="m")

    assert (result.status, result.model_version) == ("completed", 1)
    assert result.predictions_created == result.total_documents == len(project.document_ids)
    assert (result.num_missing, result.missing_document_ids) == (0, [])
    rows = await workshop.rows(PREDICTIONS)
    assert [row["document_id"] for row in rows] == project.document_ids
    names = {class_id: name for name, class_id in project.class_ids.items()}
    right = sum(names[row["class_id"]] == project.true_class[row["document_id"]] for row in rows)
    assert right > 0.9 * len(rows)
    assert all(0 < row["confidence"] <= 1 for row in rows)


async def test_the_history_holds_what_the_rows_hold_and_the_scores(workshop: Workshop) -> None:
    project = await trained(workshop)

    await workshop.predict(project, message_id="m", document_ids=project.test_ids)

    lines = read_history(workshop.history(project, "m"))
    rows = await workshop.rows(PREDICTIONS)
    assert [line["document_id"] for line in lines] == project.test_ids
    for line, row in zip(lines, rows, strict=True):
        assert (line["class_id"], line["confidence"]) == (row["class_id"], row["confidence"])
        assert line["model_version"] == row["model_version"] == 1
        assert project.class_ids[line["predicted_class"]] == line["class_id"]
        scores = line["scores"]
        assert scores.keys() == project.class_ids.keys()
        assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
        assert max(scores, key=scores.get) == line["predicted_class"]
        assert scores[line["predicted_class"]] == line["confidence"]
        assert line["known_words"] > 0
        told = ("known_words", "familiarity", "unfamiliar")
        assert row["metadata"] == {name: line[name] for name in told}
        assert 0 < line["familiarity"] <= 1


@pytest.mark.slow
async def test_many_rows_are_written_as_few_are(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few as arrays, many by COPY into a table of their own."""
    project = await trained(workshop)
    await workshop.predict(project)
    few = await workshop.rows(PREDICTED)
    await workshop.execute("DELETE FROM prediction WHERE document_id % 2 = 0")
    monkeypatch.setattr(predictions, "_FEW_BYTES", 0)

    await workshop.predict(project)

    many = await workshop.rows(PREDICTED)
    assert [{**row, "id": 0} for row in many] == [{**row, "id": 0} for row in few]
    assert {row["id"] for row in many if row["document_id"] % 2} <= {row["id"] for row in few}


@pytest.mark.slow
async def test_the_same_message_twice_changes_nothing(workshop: Workshop) -> None:
    project = await trained(workshop)
    task = workshop.context("m")
    first = await workshop.predict(project, context=task)
    rows = await workshop.rows(PREDICTIONS)
    history = workshop.history(project, "m").read_bytes()

    second = await workshop.predict(project, context=task)

    assert second == first
    assert await workshop.rows(PREDICTIONS) == rows  # updated_at included
    assert workshop.history(project, "m").read_bytes() == history
    assert len(list(workshop.history(project, "m").parent.iterdir())) == 1


async def test_one_message_delivered_twice_at_once_ends_as_once(workshop: Workshop) -> None:
    project = await trained(workshop)

    first, second = await asyncio.gather(
        *(workshop.predict(project, message_id="m") for _ in range(2))
    )

    assert first == second
    assert len(await workshop.rows(PREDICTIONS)) == len(project.document_ids)
    assert len(read_history(workshop.history(project, "m"))) == len(project.document_ids)


async def test_a_newer_version_takes_over_and_every_history_stays(workshop: Workshop) -> None:
    project = await trained(workshop)
    await workshop.predict(project, message_id="old")
    before = await workshop.rows(PREDICTIONS)
    await workshop.train(project, feature_extractor="tfidf")

    result = await workshop.predict(project, message_id="new")

    assert result.model_version == 2
    rows = await workshop.rows(PREDICTIONS)
    assert {row["model_version"] for row in rows} == {2}
    assert [row["id"] for row in rows] == [row["id"] for row in before]
    assert all(new["updated_at"] > old["updated_at"] for new, old in zip(rows, before, strict=True))
    assert workshop.history(project, "old", 1).is_file()
    assert workshop.history(project, "new", 2).is_file()


async def test_an_older_version_can_be_asked_for(workshop: Workshop) -> None:
    project = await trained(workshop)
    await workshop.train(project)

    result = await workshop.predict(project, model_version=1)

    assert result.model_version == 1
    assert {row["model_version"] for row in await workshop.rows(PREDICTIONS)} == {1}


async def fail_a_version(workshop: Workshop, project: SmallProject) -> None:
    """Train on the texts of a project while they are blank."""
    texts = {key: workshop.document(project, key).read_text() for key in project.document_ids}
    for document_id in texts:
        workshop.document(project, document_id).write_text(" ")
    with pytest.raises(WorkerError):
        await workshop.train(project)
    for document_id, content in texts.items():
        workshop.document(project, document_id).write_text(content)
    newest = await workshop.rows("SELECT status FROM model ORDER BY version DESC")
    assert newest[0]["status"] == "failed"


@pytest.mark.slow
async def test_a_newest_version_that_failed_is_passed_over(workshop: Workshop) -> None:
    project = await trained(workshop)
    await fail_a_version(workshop, project)

    assert (await workshop.predict(project)).model_version == 1


@pytest.mark.slow_variants
@pytest.mark.parametrize("who", ["project", "field", "another project's field", "version"])
async def test_what_does_not_exist_is_not_found(workshop: Workshop, who: str) -> None:
    project = await trained(workshop, training=3, test=0)
    other = await trained(workshop, training=3, test=0)
    wrong: dict[str, Any] = {
        "project": {"project_id": 4711},
        "field": {"field_id": 4711},
        "another project's field": {"field_id": other.field_id},
        "version": {"model_version": 4711},
    }[who]

    with pytest.raises(NotFound, match=r"4711|has no field"):
        await workshop.predict(project, **wrong)

    assert await workshop.rows(PREDICTIONS) == []


async def test_a_field_without_a_model_says_what_to_do(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)

    with pytest.raises(NoReadyModel, match="train one first"):
        await workshop.predict(project)


async def test_a_failed_version_cannot_be_used(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    await fail_a_version(workshop, project)

    with pytest.raises(NoReadyModel, match="no ready model"):
        await workshop.predict(project)
    with pytest.raises(NoReadyModel, match="is failed, not ready"):
        await workshop.predict(project, model_version=1)


async def test_documents_that_are_missing_are_counted_and_named(workshop: Workshop) -> None:
    project = await trained(workshop)
    other = await workshop.project(training=1, test=0)
    gone, binary, *rest = project.test_ids
    workshop.document(project, gone).unlink()
    workshop.document(project, binary).write_bytes(b"\0")
    foreign = other.document_ids[0]

    result = await workshop.predict(project, document_ids=[*project.test_ids, foreign, 999_999])

    assert result.missing_document_ids == [gone, binary, foreign, 999_999]
    assert result.num_missing == 4
    assert result.predictions_created == len(rest)
    assert result.total_documents == len(project.test_ids) + 2
    assert [row["document_id"] for row in await workshop.rows(PREDICTIONS)] == rest


@pytest.mark.slow
async def test_at_most_a_hundred_missing_documents_are_listed(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=1)

    result = await workshop.predict(
        project, document_ids=[project.test_ids[0], *range(10_000, 10_150)]
    )

    assert result.num_missing == 150
    assert result.missing_document_ids == list(range(10_000, 10_100))


@pytest.mark.slow
async def test_a_document_named_twice_is_predicted_once(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=1)
    one = project.test_ids[0]

    result = await workshop.predict(project, message_id="m", document_ids=[one, one, one])

    assert (result.predictions_created, result.total_documents) == (1, 1)
    assert len(read_history(workshop.history(project, "m"))) == 1


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("document_ids", "says"),
    [
        ([], "document_ids is empty|has no documents"),
        ([999_999], "has none of the 1 documents asked for"),
        (None, "has no documents to predict"),
    ],
)
async def test_nothing_to_predict_is_an_error(
    workshop: Workshop, document_ids: list[int] | None, says: str
) -> None:
    project = await trained(workshop, training=3, test=0)
    if document_ids is None:
        await workshop.execute("DELETE FROM document")

    with pytest.raises(NoDocuments, match=says):
        await workshop.predict(project, message_id="m", document_ids=document_ids)

    assert not workshop.history(project, "m").exists()


@pytest.mark.slow
async def test_documents_that_are_all_missing_are_an_error(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=1)
    for document_id in project.test_ids:
        workshop.document(project, document_id).unlink()

    with pytest.raises(NoDocuments, match="could be read, the first because: missing") as raised:
        await workshop.predict(project, message_id="m", document_ids=project.test_ids)

    assert raised.value.details["missing_document_ids"] == project.test_ids
    assert not workshop.history(project, "m").exists()
    assert await workshop.rows(PREDICTIONS) == []


@pytest.mark.slow
async def test_a_blank_document_is_predicted(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=0)
    async with workshop.sessions.begin() as session:
        blank = await add_document(session, workshop.path, project.project_id, " \n")

    result = await workshop.predict(project, document_ids=[blank])

    assert result.predictions_created == 1


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"tokenizer": "spacy"}, "tokenizer 'spacy'"),
        ({"feature_extractor": "tfidf"}, "feature_extractor 'tfidf'"),
        ({"locale": "de"}, "locale 'de'"),
    ],
)
async def test_another_pipeline_than_the_models_is_an_error(
    workshop: Workshop, named: dict[str, Any], says: str
) -> None:
    project = await trained(workshop, training=3, test=0)

    with pytest.raises(WorkerError, match=says) as raised:
        await workshop.predict(project, message_id="m", **named)

    assert (raised.value.code, raised.value.retryable) == ("PLUGIN_MISMATCH", False)
    assert await workshop.rows(PREDICTIONS) == []


@pytest.mark.slow
async def test_naming_the_models_own_pipeline_is_fine(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=0)

    result = await workshop.predict(project, tokenizer="icu", feature_extractor="bow", locale="en")

    assert result.predictions_created == 9


def _model_files(model: Path) -> list[Path]:
    return sorted(file for file in model.rglob("*") if file.is_file())


async def test_damage_to_any_file_of_a_model_is_noticed(workshop: Workshop) -> None:
    project = await trained(workshop, training=4, test=0)
    model = workshop.model(project)
    files = _model_files(model)
    assert len(files) > 3
    for file in files:
        content = file.read_bytes()
        middle = len(content) // 2
        for damaged in (
            b"",
            content[:-1],
            content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :],
        ):
            file.write_bytes(damaged)
            with pytest.raises(WorkerError) as raised:
                await workshop.predict(project)
            assert (raised.value.code, raised.value.retryable) == ("MODEL_CORRUPT", False)
        file.unlink()
        with pytest.raises(WorkerError) as raised:
            await workshop.predict(project)
        assert raised.value.code == "MODEL_CORRUPT"
        file.write_bytes(content)
    assert (await workshop.predict(project)).predictions_created == 12


async def test_a_model_whose_folder_is_gone_is_corrupt(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=0)
    shutil.rmtree(workshop.model(project))

    with pytest.raises(ModelCorrupt, match=r"are gone from .*v1: restore them or train"):
        await workshop.predict(project)


async def test_a_class_deleted_since_the_training_is_a_clear_error(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=0)
    await workshop.execute("DELETE FROM field_class WHERE name = 'kitchen'")

    with pytest.raises(WorkerError, match=r"no longer has \(kitchen\).*train a") as raised:
        await workshop.predict(project)

    assert raised.value.code == "MODEL_CORRUPT"
    assert await workshop.rows(PREDICTIONS) == []


@pytest.mark.slow
async def test_a_class_renamed_or_added_since_the_training_does_no_harm(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=0)
    await workshop.execute("UPDATE field_class SET name = 'beasts' WHERE name = 'animals'")
    await workshop.execute(
        "INSERT INTO field_class (field_id, name) VALUES (:id, 'new')", id=project.field_id
    )

    assert (await workshop.predict(project)).predictions_created == 9


@pytest.mark.slow
async def test_a_message_id_that_cannot_name_a_file_is_refused(workshop: Workshop) -> None:
    project = await trained(workshop, training=3, test=0)

    with pytest.raises(ValueError, match="cannot name a file"):
        await workshop.predict(project, message_id="../../escaped")

    assert await workshop.rows(PREDICTIONS) == []
    assert not list(workshop.path.rglob("*escaped*"))


@pytest.mark.slow
async def test_predictions_come_in_batches_with_the_same_outcome(workshop: Workshop) -> None:
    project = await trained(workshop)
    await workshop.predict(project, message_id="whole")
    batches = workshop.settings.prediction.model_copy(update={"batch_size": 7})
    workshop.settings = workshop.settings.model_copy(update={"prediction": batches})

    await workshop.predict(project, message_id="batches")

    assert read_history(workshop.history(project, "batches")) == read_history(
        workshop.history(project, "whole")
    )


async def test_predicting_with_or_without_an_index_is_the_same(workshop: Workshop) -> None:
    project = await trained(workshop)
    await workshop.predict(project, message_id="without")
    await workshop.index(project)
    await workshop.predict(project, message_id="with")

    assert read_history(workshop.history(project, "with")) == read_history(
        workshop.history(project, "without")
    )


words = st.sampled_from("cat dog horse car truck train pan oven knife the a of to".split())
texts = st.lists(words, min_size=1, max_size=12).map(" ".join) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40
)
records = st.lists(
    st.tuples(texts, st.sampled_from(["a", "b", "c", None])), min_size=4, max_size=25
)


@asynccontextmanager
async def emptied(workshop: Workshop) -> AsyncIterator[Workshop]:
    """The same database without rows, and a storage of its own."""
    await workshop.execute("TRUNCATE project, task RESTART IDENTITY CASCADE")
    with TemporaryDirectory() as directory:
        yield Workshop(workshop.sessions, workshop.settings, Path(directory))


@pytest.mark.slow
@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=records)
async def test_predictions_of_any_corpus_are_the_same_every_time(
    workshop: Workshop, records: list[tuple[str, str | None]]
) -> None:
    async with emptied(workshop) as fresh:
        corpus = fresh.path / "corpus.jsonl"
        lines = [{"text": text, "label": label, "split": "train"} for text, label in records]
        # Two documents of two classes, whatever else there is.
        lines += [
            {"text": make_text(word, 1), "label": label, "split": "train"}
            for word, label in (("animals", "a"), ("vehicles", "b"))
        ]
        corpus.write_text("\n".join(map(json.dumps, lines)))
        report = await import_corpus(
            fresh.admin(),
            ImportRequest(
                path=corpus,
                project="random",
                test_fraction=0,
                max_bytes=10_000,
            ),
        )
        project = SmallProject(report.project_id, report.field_id, {})
        indexed = await fresh.index(project)
        assert indexed.num_documents == report.summary.num_documents
        await fresh.train(project)

        outcomes = []
        for message_id in ("one", "two"):
            result = await fresh.predict(project, message_id=message_id)
            assert result.predictions_created == report.summary.num_documents
            history = read_history(fresh.history(project, message_id))
            outcomes.append((await fresh.rows(PREDICTED), history))

        assert outcomes[0] == outcomes[1]


@pytest.mark.slow
async def test_a_file_that_is_missing_elsewhere_is_no_missing_model(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    await workshop.train(project)
    request = PredictFieldDocuments(
        project_id=project.project_id, field_id=project.field_id, document_ids=None
    )

    with pytest.raises(FileNotFoundError), model_files(workshop.context().storage, request, 1):
        raise FileNotFoundError("no socket")


# Files that are whole, and not those of the version


async def swapped(workshop: Workshop) -> SmallProject:
    """A project whose versions 1 and 2 have each other's files."""
    project = await trained(workshop)
    await workshop.train(project, classifier_params={"C": 0.01})
    first, second = workshop.model(project, 1), workshop.model(project, 2)
    first.rename(first.with_name("aside"))
    second.rename(first)
    first.with_name("aside").rename(second)
    return project


@pytest.mark.slow
async def test_a_version_with_the_files_of_another_predicts_nothing(workshop: Workshop) -> None:
    project = await swapped(workshop)

    for version in (1, 2, None):
        with pytest.raises(WorkerError, match="another model's") as raised:
            await workshop.predict(project, model_version=version)
        assert raised.value.code == "MODEL_CORRUPT"
        with pytest.raises(WorkerError, match="another model's"):
            await workshop.evaluate(project, model_version=version)
    assert await workshop.rows(PREDICTIONS) == []


@pytest.mark.slow
async def test_a_version_from_before_digests_were_kept_predicts_as_it_did(
    workshop: Workshop,
) -> None:
    project = await trained(workshop)
    await workshop.predict(project)
    before = await workshop.rows(PREDICTED)
    await workshop.execute("UPDATE model SET manifest = manifest - 'manifest_digest'")

    await workshop.predict(project)

    assert await workshop.rows(PREDICTED) == before
