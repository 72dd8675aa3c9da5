"""An index of embeddings makes services faster, and changes what they say to rounding only."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from lexiclass_worker.admin.similarity import IndexChoice, find_similar
from tests.support.corpora import SmallProject, add_document, make_text
from tests.support.services import Workshop
from tests.support.tiny_encoder import write_encoder

pytestmark = pytest.mark.heavy

VOCABULARY = "cat dog horse bird car truck train wheel pan oven knife butter the of and".split()
SBERT: dict[str, Any] = {
    "feature_extractor": "sbert",
    "feature_extractor_params": {"model": "tiny", "device": "cpu"},
}
PREDICTIONS = "SELECT document_id, class_id, confidence FROM prediction ORDER BY document_id"


@pytest.fixture
async def house(workshop: Workshop, tmp_path: Path) -> Workshop:
    """A workshop with an encoder that fits in its pocket."""
    write_encoder(tmp_path / "pretrained" / "tiny", [*VOCABULARY, "[UNK]"])
    workshop.settings = workshop.settings.model_copy(
        update={"lexiclass_pretrained_directory": tmp_path / "pretrained"}
    )
    return workshop


async def outcome(workshop: Workshop, project: SmallProject) -> list[Any]:
    """What training, evaluating and predicting say."""
    await workshop.train(project, **SBERT)
    evaluated = await workshop.evaluate(project)
    await workshop.predict(project)
    rows = await workshop.rows(PREDICTIONS)
    return [
        evaluated.metrics.accuracy,
        [(row["document_id"], row["class_id"]) for row in rows],
        [row["confidence"] for row in rows],
    ]


def equal_to_rounding(first: list[Any], second: list[Any]) -> bool:
    return first[:2] == second[:2] and first[2] == pytest.approx(second[2], abs=1e-4)


async def test_an_index_of_embeddings_changes_no_result(
    house: Workshop, origins: list[dict[str, int]]
) -> None:
    project = await house.project(training=8, test=4)
    without = await outcome(house, project)
    assert origins == [{"missing": 24}, {"missing": 12}, {"missing": 36}]
    origins.clear()

    result = await house.index(project, **SBERT)

    assert result.embeddings is not None
    assert (result.embeddings.num_documents, result.embeddings.embedded) == (36, 36)
    assert result.embeddings.dimension == 16
    assert Path(result.embeddings.index_path).name.startswith("sbert-")
    assert (Path(result.embeddings.index_path) / "index.json").is_file()
    assert equal_to_rounding(await outcome(house, project), without)
    assert origins == [{"indexed": 24}, {"indexed": 12}, {"indexed": 36}]


async def test_only_what_is_new_is_embedded_and_what_is_stale_is_embedded_on_the_fly(
    house: Workshop, origins: list[dict[str, int]]
) -> None:
    project = await house.project(training=4, test=2)
    first = await house.index(project, **SBERT)
    changed, gone, *_ = project.document_ids
    house.document(project, changed).write_text("horse bird train")
    await house.execute("DELETE FROM document WHERE id = :id", id=gone)
    async with house.sessions.begin() as session:
        await add_document(session, house.path, project.project_id, make_text("animals", 99))
    await house.train(project, **SBERT)
    assert origins == [{"indexed": 10, "changed": 1}]

    second = await house.index(project, **SBERT)

    assert first.embeddings is not None
    assert second.embeddings is not None
    assert (second.embeddings.embedded, second.embeddings.removed) == (2, 1)
    assert second.embeddings.index_path == first.embeddings.index_path


async def test_configurations_stand_side_by_side(house: Workshop) -> None:
    project = await house.project(training=2, test=0)
    plain = await house.index(project, **SBERT)
    shorter = {"model": "tiny", "device": "cpu", "max_tokens": 8}
    short = await house.index(project, feature_extractor="sbert", feature_extractor_params=shorter)
    faster = {"model": "tiny", "device": "cpu", "batch_size": 4}
    same = await house.index(project, feature_extractor="sbert", feature_extractor_params=faster)

    assert plain.embeddings is not None
    assert short.embeddings is not None
    assert same.embeddings is not None
    assert plain.embeddings.index_path != short.embeddings.index_path
    assert (same.embeddings.index_path, same.embeddings.embedded) == (
        plain.embeddings.index_path,
        0,
    )


async def test_a_damaged_index_is_read_past_and_then_mended(
    house: Workshop, origins: list[dict[str, int]]
) -> None:
    project = await house.project(training=4, test=2)
    index = await house.index(project, **SBERT)
    before = await outcome(house, project)
    assert index.embeddings is not None
    (shard,) = Path(index.embeddings.index_path).glob("embeddings-*")
    data = bytearray(shard.read_bytes())
    data[-3] ^= 1
    shard.write_bytes(data)
    origins.clear()

    assert equal_to_rounding(await outcome(house, project), before)
    assert [set(found) for found in origins] == [{"missing"}] * 3
    mended = await house.index(project, **SBERT)
    assert mended.embeddings is not None
    assert mended.embeddings.embedded == 18


async def test_what_is_similar_by_embeddings_is_found_by_id_and_by_text(house: Workshop) -> None:
    project = await house.project(training=3, test=0)
    await house.index(project, **SBERT)
    choice = IndexChoice(
        project_id=project.project_id,
        feature_extractor="sbert",
        feature_extractor_params=SBERT["feature_extractor_params"],
    )
    first = project.document_ids[0]
    text = house.document(project, first).read_text()

    by_text = await find_similar(house.admin(), choice, text, limit=9)
    by_id = await find_similar(house.admin(), choice, first, limit=8)

    assert by_text[0] == (first, 1.0)
    assert [found.id for found in by_text[1:]] == [found.id for found in by_id]


async def test_an_index_that_is_not_the_one_that_was_published_is_made_anew(
    house: Workshop, origins: list[dict[str, int]]
) -> None:
    project, neighbour = [await house.project(training=6, test=2) for _ in range(2)]
    for each in (project, neighbour):
        await house.index(each, **SBERT)
    (row,) = await house.rows("SELECT DISTINCT name FROM project_index WHERE name <> 'icu-en'")
    ours, theirs = (
        house.path / str(each.project_id) / "indexes" / row["name"] for each in (project, neighbour)
    )
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)

    await house.train(project, **SBERT)
    result = await house.index(project, **SBERT)
    await house.train(project, **SBERT)

    assert origins == [{"missing": 18}, {"indexed": 18}]
    assert result.embeddings is not None
    assert result.embeddings.embedded > 0
