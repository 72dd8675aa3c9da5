"""Predictions in children that keep the models they have loaded."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lexiclass import Pipeline, PipelineSpec
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.jobs.inputs import ExpectedPipeline, ProjectDocuments
from lexiclass_worker.jobs.prediction import PredictJob
from lexiclass_worker.sandbox import ModelLookup
from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.setting_groups import SandboxSettings
from tests.support.corpora import make_text

pytestmark = pytest.mark.usefixtures("warm_sandbox")

CLASSES = {"animals": 1, "vehicles": 2}


@pytest.fixture
def lookups() -> list[ModelLookup]:
    return []


@pytest.fixture
def sandbox(lookups: list[ModelLookup]) -> Iterator[Sandbox]:
    made = Sandbox(on_model_lookup=lookups.append)
    yield made
    made.close()


def train(directory: Path, class_ids: dict[str, int]) -> None:
    labels = ["animals", "vehicles"] * 4
    pipeline = Pipeline(PipelineSpec(tokenizer="icu", feature_extractor="tfidf", classifier="svm"))
    names = dict(zip(("animals", "vehicles"), class_ids, strict=True))
    texts = [make_text(label, seed) for seed, label in enumerate(labels)]
    pipeline.fit(texts, [names[label] for label in labels])
    pipeline.save(directory, metadata={"class_ids": class_ids})


def job(directory: Path, model: Path, class_ids: dict[str, int]) -> PredictJob:
    documents = directory / "storage" / "7" / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    for number, label in enumerate(("animals", "vehicles")):
        (documents / f"{number}.txt").write_text(make_text(label, 100 + number))
    return PredictJob(
        source=ProjectDocuments(
            root=str(directory / "storage"), project_id=7, folder=None, max_bytes=2**20
        ),
        pretrained_directory=directory,
        indexes=None,
        documents=[(0, None), (1, None)],
        model_directory=model,
        model_version=1,
        manifest_digest=None,
        expected=ExpectedPipeline(tokenizer=None, feature_extractor=None, locale=None),
        class_ids=sorted(class_ids.values()),
        batch_size=100,
        history=directory / "history.jsonl",
        rows=directory / "rows.csv",
    )


def predicted(made: PredictJob) -> list[str]:
    return [json.loads(line)["predicted_class"] for line in made.history.read_text().splitlines()]


async def test_a_model_is_loaded_for_the_first_prediction_only(
    tmp_path: Path, sandbox: Sandbox, lookups: list[ModelLookup]
) -> None:
    train(tmp_path / "model", CLASSES)
    made = job(tmp_path, tmp_path / "model", CLASSES)

    for _ in range(3):
        await sandbox.run(made)
        assert predicted(made) == ["animals", "vehicles"]

    assert lookups == ["miss", "hit", "hit"]


async def test_a_version_that_is_published_again_is_used_at_once(
    tmp_path: Path, sandbox: Sandbox, lookups: list[ModelLookup]
) -> None:
    model, renamed = tmp_path / "model", {"beasts": 3, "machines": 4}
    train(model, CLASSES)
    await sandbox.run(job(tmp_path, model, CLASSES))

    shutil.rmtree(model)
    train(model, renamed)
    made = job(tmp_path, model, renamed)
    await sandbox.run(made)

    assert predicted(made) == ["beasts", "machines"]
    assert lookups == ["miss", "miss"]


async def test_no_model_is_kept_where_none_should_be(
    tmp_path: Path, lookups: list[ModelLookup]
) -> None:
    sandbox = Sandbox(SandboxSettings(model_cache_bytes=0), on_model_lookup=lookups.append)
    train(tmp_path / "model", CLASSES)
    for _ in range(2):
        await sandbox.run(job(tmp_path, tmp_path / "model", CLASSES))

    sandbox.close()
    assert lookups == []


async def test_a_model_that_takes_more_than_the_task_may_is_refused_before_it_is_read(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    train(tmp_path / "model", CLASSES)
    with pytest.raises(WorkerError, match="raise LIMITS__MEMORY_BYTES") as raised:
        await sandbox.run(replace(job(tmp_path, tmp_path / "model", CLASSES), memory_bytes=100))
    assert raised.value.code == "MEMORY_LIMIT"
