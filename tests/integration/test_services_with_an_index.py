"""An index makes services faster, and changes nothing they say."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import values

from lexiclass import read_manifest
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry import counting
from lexiclass_worker.telemetry.scrape import ProcessSource, Scrape
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

PREDICTIONS = "SELECT document_id, class_id, confidence FROM prediction ORDER BY document_id"

Lookups = Callable[[], dict[str, dict[str, int]]]


@pytest.fixture
def lookups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    """How many documents each operation found in the index or not, since this was last asked."""
    directory = tmp_path / "metrics"
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    counting.configure_metrics(Settings(metrics={"directory": directory}))
    before: dict[tuple[str, str], float] = {}

    def look() -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for metric in Scrape([ProcessSource(directory)]).collect():
            for sample in metric.samples:
                if sample.name == "lexiclass_index_lookups_total":
                    key = (sample.labels["operation"], sample.labels["result"])
                    if counted := int(sample.value - before.get(key, 0)):
                        found.setdefault(key[0], {})[key[1]] = counted
                    before[key] = sample.value
        return found

    yield look
    counting.close_metrics()


async def outcome(workshop: Workshop, project: SmallProject, **request: Any) -> list[Any]:
    """What training, evaluating and predicting say."""
    trained = await workshop.train(project, feature_extractor="tfidf", **request)
    evaluated = await workshop.evaluate(project)
    await workshop.predict(project)
    manifest = read_manifest(workshop.model(project, trained.model_version))
    # What can't be looked for without an index is the one difference.
    metrics = evaluated.metrics.model_copy(update={"duplicates_in_training": None})
    return [manifest.model_digest, metrics, await workshop.rows(PREDICTIONS)]


def index_files(workshop: Workshop, project: SmallProject) -> list[Path]:
    folder = workshop.path / str(project.project_id) / "indexes" / "icu-en"
    return sorted(folder.glob("shard-*.safetensors"))


@pytest.fixture
async def indexed(workshop: Workshop) -> SmallProject:
    project = await workshop.project(training=8, test=4)
    await workshop.index(project)
    return project


async def test_an_index_serves_every_document_and_changes_no_result(
    workshop: Workshop, lookups: Lookups
) -> None:
    project = await workshop.project(training=8, test=4)
    without = await outcome(workshop, project)
    assert lookups() == {
        "train": {"missing": 24},
        "evaluate": {"missing": 12},
        "predict": {"missing": 36},
    }
    await workshop.index(project)
    assert await outcome(workshop, project) == without
    assert lookups() == {
        "train": {"indexed": 24},
        "evaluate": {"indexed": 12},
        "predict": {"indexed": 36},
    }


@pytest.mark.slow
async def test_both_spellings_of_a_locale_have_one_index(
    workshop: Workshop, lookups: Lookups
) -> None:
    project = await workshop.project(training=8, test=4)
    first = await workshop.index(project, locale="en_US")
    again = await workshop.index(project, locale="en-US")
    assert (again.index_path, again.unchanged) == (first.index_path, again.num_documents)

    for locale in ("en_US", "en-US"):
        await outcome(workshop, project, locale=locale)
        assert [set(found) for found in lookups().values()] == [{"indexed"}] * 3

    await workshop.predict(project, locale="en_US")
    assert lookups() == {"predict": {"indexed": 36}}


@pytest.mark.slow
async def test_each_set_of_parameters_has_an_index_of_its_own_that_serves_its_models(
    workshop: Workshop, lookups: Lookups
) -> None:
    project = await workshop.project(training=8, test=4)
    usual = await workshop.index(project)
    spelt_out = await workshop.index(project, tokenizer_params={"lowercase": True})
    cased = await workshop.index(project, tokenizer_params={"lowercase": False})
    assert (spelt_out.index_path, spelt_out.unchanged) == (usual.index_path, 36)
    assert (cased.index_path.rpartition("-")[0], cased.added) == (usual.index_path, 36)

    with_index = await outcome(workshop, project, tokenizer_params={"lowercase": False})
    assert [set(found) for found in lookups().values()] == [{"indexed"}] * 3
    shutil.rmtree(cased.index_path)
    assert await outcome(workshop, project, tokenizer_params={"lowercase": False}) == with_index
    assert [set(found) for found in lookups().values()] == [{"missing"}] * 3


@pytest.mark.slow
async def test_documents_edited_since_are_read_as_they_are_now(
    workshop: Workshop, indexed: SmallProject, lookups: Lookups
) -> None:
    before = await outcome(workshop, indexed)
    lookups()
    edited = workshop.document(indexed, indexed.test_ids[0])
    other = workshop.document(indexed, indexed.test_ids[-1])
    edited.write_text(other.read_text())

    after = await outcome(workshop, indexed)

    assert after[0] == before[0]
    rows = {row["document_id"]: row for row in after[2]}
    first, last = rows[indexed.test_ids[0]], rows[indexed.test_ids[-1]]
    assert (first["class_id"], first["confidence"]) == (last["class_id"], last["confidence"])
    assert lookups() == {
        "train": {"indexed": 24},
        "evaluate": {"indexed": 11, "changed": 1},
        "predict": {"indexed": 35, "changed": 1},
    }


@pytest.mark.slow
async def test_a_damaged_index_is_read_past_and_then_made_anew(
    workshop: Workshop, indexed: SmallProject, lookups: Lookups
) -> None:
    before = await outcome(workshop, indexed)
    lookups()
    path = index_files(workshop, indexed)[0]
    content = bytearray(path.read_bytes())
    content[-40] ^= 0xFF
    path.write_bytes(content)

    assert await outcome(workshop, indexed) == before
    assert [set(found) for found in lookups().values()] == [{"missing"}] * 3
    report = await workshop.index(indexed)
    assert report.added == report.num_documents
    assert path not in index_files(workshop, indexed)
