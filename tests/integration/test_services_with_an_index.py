"""An index makes services faster, and changes nothing they say."""

from pathlib import Path
from typing import Any

import pytest

from lexiclass import read_manifest
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

PREDICTIONS = "SELECT document_id, class_id, confidence FROM prediction ORDER BY document_id"


async def outcome(workshop: Workshop, project: SmallProject) -> list[Any]:
    """What training, evaluating and predicting say."""
    trained = await workshop.train(project, feature_extractor="tfidf")
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


async def test_an_index_changes_no_result(workshop: Workshop) -> None:
    project = await workshop.project(training=8, test=4)
    without = await outcome(workshop, project)
    await workshop.index(project)
    assert await outcome(workshop, project) == without


async def test_documents_edited_since_are_read_as_they_are_now(
    workshop: Workshop, indexed: SmallProject
) -> None:
    before = await outcome(workshop, indexed)
    edited = workshop.document(indexed, indexed.test_ids[0])
    other = workshop.document(indexed, indexed.test_ids[-1])
    edited.write_text(other.read_text())

    after = await outcome(workshop, indexed)

    assert after[0] == before[0]
    rows = {row["document_id"]: row for row in after[2]}
    first, last = rows[indexed.test_ids[0]], rows[indexed.test_ids[-1]]
    assert (first["class_id"], first["confidence"]) == (last["class_id"], last["confidence"])


async def test_a_damaged_index_is_read_past_and_then_made_anew(
    workshop: Workshop, indexed: SmallProject
) -> None:
    before = await outcome(workshop, indexed)
    path = index_files(workshop, indexed)[0]
    content = bytearray(path.read_bytes())
    content[-40] ^= 0xFF
    path.write_bytes(content)

    assert await outcome(workshop, indexed) == before
    report = await workshop.index(indexed)
    assert report.added == report.num_documents
    assert path not in index_files(workshop, indexed)
