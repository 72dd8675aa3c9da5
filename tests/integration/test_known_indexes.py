"""Indexes that are not the ones which were published, put there by who can write to the storage."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from lexiclass import Document, DocumentIndex
from lexiclass.index import build_index
from lexiclass.index.store.manifest import INDEX_FILE, manifest_digest
from lexiclass.index.store.table import DocumentTable, write_table
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.self_digest import dump_with_digest, load_with_digest
from lexiclass_core.keys import Keys
from lexiclass_worker.admin.similarity import IndexChoice, find_similar
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.services.known_indexes import KnownIndexes
from tests.support.corpora import SmallProject
from tests.support.services import Workshop


class Died(Exception):
    """What a worker is gone by."""


KEPT = "SELECT name, manifests FROM project_index WHERE project_id = :id ORDER BY name"


def index_of(workshop: Workshop, project: SmallProject, name: str = "icu-en") -> Path:
    return workshop.path / str(project.project_id) / "indexes" / name


def digest_now(workshop: Workshop, project: SmallProject, name: str = "icu-en") -> str:
    return manifest_digest(index_of(workshop, project, name))


async def kept(workshop: Workshop, project: SmallProject) -> dict[str, list[str]]:
    rows = await workshop.rows(KEPT, id=project.project_id)
    return {row["name"]: sorted(row["manifests"]) for row in rows}


def exchange_documents(directory: Path) -> None:
    """Give each document the tokens of another, and make every checksum fit."""
    index = DocumentIndex.open(directory)
    table = index.table
    changed = DocumentTable(
        ids=table.ids,
        digests=table.digests,
        stamps=table.stamps,
        shards=table.shards,
        rows=table.rows[::-1].copy(),
    )
    content = load_with_digest((directory / INDEX_FILE).read_bytes(), file=INDEX_FILE)
    content["documents"] = write_table(directory, changed).model_dump(mode="json")
    (directory / INDEX_FILE).write_bytes(dump_with_digest(content))


async def origins(workshop: Workshop, project: SmallProject) -> dict[str, Any]:
    """Where a training takes its documents from, and what the model then is."""
    result = await workshop.train(project)
    row = await workshop.row(
        "SELECT manifest ->> 'model_digest' AS digest FROM model WHERE id = :id", id=result.model_id
    )
    return dict(row)


async def test_the_digest_of_what_is_published_is_kept(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=1)

    await workshop.index(project)
    await workshop.index(project, locale="de")

    found = await kept(workshop, project)
    assert found == {name: [digest_now(workshop, project, name)] for name in ("icu-de", "icu-en")}
    workshop.document(project, project.document_ids[-1]).write_text("another text")
    await workshop.index(project)
    assert (await kept(workshop, project))["icu-en"] == [
        manifest_digest(index_of(workshop, project))
    ]
    assert await kept(workshop, project) != found


@pytest.mark.slow
async def test_an_index_that_was_sealed_again_teaches_nothing(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    honest = await origins(workshop, project)
    exchange_documents(index_of(workshop, project))

    assert await origins(workshop, project) == honest
    await workshop.predict(project)
    assert (await workshop.evaluate(project)).metrics.duplicates_in_training is not None
    with pytest.raises(WorkerError, match="Index the project again") as raised:
        await similar(workshop, project)
    assert raised.value.code == "MODEL_CORRUPT"


async def similar(workshop: Workshop, project: SmallProject) -> list[Any]:
    choice = IndexChoice(project_id=project.project_id)
    return await find_similar(
        workshop.admin(),
        choice,
        project.document_ids[0],
        limit=3,
    )


async def test_the_next_indexing_makes_it_anew(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    before = await similar(workshop, project)
    exchange_documents(index_of(workshop, project))

    result = await workshop.index(project)

    assert (result.added, result.unchanged) == (result.num_documents, 0)
    assert await similar(workshop, project) == before


async def test_the_folder_of_another_projects_index_is_not_taken(workshop: Workshop) -> None:
    project, neighbour = [await workshop.project(training=6, test=2) for _ in range(2)]
    await workshop.index(project)
    await workshop.index(neighbour)
    shutil.rmtree(index_of(workshop, project))
    shutil.copytree(index_of(workshop, neighbour), index_of(workshop, project))

    with pytest.raises(WorkerError, match="Index the project again"):
        await similar(workshop, project)


async def test_an_index_that_nobody_has_made_is_not_taken(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project, locale="de")
    shutil.copytree(index_of(workshop, project, "icu-de"), index_of(workshop, project))

    with pytest.raises(WorkerError, match="Index the project again"):
        await similar(workshop, project)


async def test_an_older_generation_that_is_put_back_is_not_taken(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    old = workshop.path / "old"
    shutil.copytree(index_of(workshop, project), old)
    workshop.document(project, project.document_ids[-1]).write_text("another text")
    await workshop.index(project)
    shutil.rmtree(index_of(workshop, project))
    shutil.copytree(old, index_of(workshop, project))

    with pytest.raises(WorkerError, match="Index the project again"):
        await similar(workshop, project)


async def test_a_build_that_was_killed_is_gone_on_from(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await workshop.project(training=6, test=2)
    await killed_indexing(workshop, project, monkeypatch)
    finished = {path.stem for path in index_of(workshop, project).glob("shard-*.json")}

    await workshop.index(project)

    named = IndexManifest.read(index_of(workshop, project)).shards
    assert finished
    assert {shard.name for shard in named} == finished


@pytest.mark.slow
async def test_shards_that_somebody_else_has_left_are_not_gone_on_from(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, other = [await workshop.project(training=6, test=2) for _ in range(2)]
    await workshop.index(project)
    folder = index_of(workshop, project)
    honest = content_of(folder)
    for signer in (None, Keys(b"a guess")):
        leave_forged_shards(folder, signer)
    # Those of another project are signed, and not for this one.
    await killed_indexing(workshop, other, monkeypatch)
    for path in index_of(workshop, other).glob("shard-*"):
        shutil.copy(path, folder)
    forged = {path.stem for path in folder.glob("shard-*.json")}
    (folder / INDEX_FILE).unlink()

    await workshop.index(project)

    assert len(forged) >= 3
    assert not forged & {shard.name for shard in IndexManifest.read(folder).shards}
    assert content_of(folder) == honest


def leave_forged_shards(folder: Path, signer: Keys | None) -> None:
    """Tokens of another text under the digest of each document, and every checksum fits."""
    index = DocumentIndex.open(folder)
    forged = [
        Document(int(number), "forged", index.digest_of(row), "utf-8")
        for row, number in enumerate(index.ids)
    ]

    def die() -> None:
        raise Died

    with pytest.raises(Died):
        build_index(folder, forged, is_incremental=False, before_publication=die, signer=signer)


def content_of(folder: Path) -> dict[int, list[str]]:
    index = DocumentIndex.open(folder)
    return dict(zip(index.ids.tolist(), index.tokens().to_lists(), strict=True))


async def killed_indexing(
    workshop: Workshop, project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Index, and die before anything is published."""

    async def die(*_: Any, **__: Any) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(KnownIndexes, "may_publish", die)
        with pytest.raises(Died):
            await workshop.index(project, is_incremental=False)


@pytest.mark.slow_variants
@pytest.mark.parametrize("written", [False, True], ids=["before the file", "after the file"])
async def test_a_worker_that_dies_around_a_publication_leaves_a_known_index(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    workshop.document(project, project.document_ids[-1]).write_text("another text")

    async def die(*_: Any, **__: Any) -> None:
        raise Died

    if written:
        monkeypatch.setattr(KnownIndexes, "settle", die)
    else:
        may_publish = KnownIndexes.may_publish

        async def die_after(known: KnownIndexes, publication: Any) -> None:
            await may_publish(known, publication)
            if publication is not None:
                raise Died

        monkeypatch.setattr(KnownIndexes, "may_publish", die_after)
    with pytest.raises(Died):
        await workshop.index(project)
    monkeypatch.undo()

    two = (await kept(workshop, project))["icu-en"]
    assert len(two) == 2
    assert digest_now(workshop, project) in two
    assert len(await similar(workshop, project)) == 3
    result = await workshop.index(project)
    assert result.unchanged >= result.num_documents - 1
    assert (await kept(workshop, project))["icu-en"] == [
        manifest_digest(index_of(workshop, project))
    ]


@pytest.mark.slow
async def test_a_reader_that_began_before_a_publication_takes_what_is_published(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are read, then another build ends, then the child opens the index."""
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    await workshop.train(project)
    as_kept, asked = KnownIndexes.as_kept, []
    digests_of = KnownIndexes.digests_of

    async def note(known: KnownIndexes, name: str) -> Any:
        asked.append(name)
        return await digests_of(known, name)

    monkeypatch.setattr(KnownIndexes, "digests_of", note)
    outdated = await KnownIndexes(workshop.context(), project.project_id).at_hand()
    workshop.document(project, project.document_ids[-1]).write_text("another text")
    await workshop.index(project)
    first = [outdated]
    monkeypatch.setattr(
        KnownIndexes, "as_kept", lambda self, kept: first.pop() if first else as_kept(self, kept)
    )

    evaluation = await workshop.evaluate(project)

    assert set(asked) == {"icu-en"}
    duplicates = evaluation.metrics.duplicates_in_training
    assert duplicates is not None
    assert duplicates.num_compared > 0


@pytest.mark.parametrize("current", [None, "0" * 64])
async def test_a_child_of_a_task_that_only_reads_indexes_makes_none_known(
    workshop: Workshop, current: str | None
) -> None:
    project = await workshop.project(training=3, test=1)
    await workshop.index(project)
    before = await kept(workshop, project)
    reader = KnownIndexes(workshop.context(), project.project_id)

    for name in ("icu-en", "forged"):
        publication = Publication(name=name, current=current, next="f" * 64)
        with pytest.raises(ValueError, match="writes no index"):
            await reader.may_publish(publication)

    assert await kept(workshop, project) == before


@pytest.mark.slow
async def test_a_child_makes_few_rows_whatever_it_names(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=1)
    await workshop.index(project)
    writer = KnownIndexes(workshop.context(), project.project_id, confirm=agree)
    names = [f"forged-{number}" for number in range(300)]

    async def publish_all() -> None:
        for name in names:
            await writer.may_publish(Publication(name=name, current=None, next="f" * 64))

    with pytest.raises(ValueError, match="more indexes than a task has"):
        await publish_all()
    await writer.settle(dict.fromkeys(names, "e" * 64))
    for odd in ("x" * 10_000, 7, {"a": 1}):
        with pytest.raises(ValueError, match="no digest"):
            await writer.settle({"icu-en": odd})  # type: ignore[dict-item]  # as a child may

    assert len(await kept(workshop, project)) == 101
    await writer.settle(dict.fromkeys(names))
    assert set(await kept(workshop, project)) == {"icu-en"}


async def agree() -> None:
    """Confirm that nobody else writes the indexes."""


@pytest.mark.slow
async def test_indexes_of_before_are_taken_as_they_are_and_known_from_the_next_indexing_on(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    await workshop.index(project, locale="de")
    before = await kept(workshop, project)
    await workshop.execute("DELETE FROM project_index")
    await workshop.execute("UPDATE project SET takes_unknown_indexes = true")
    (index_of(workshop, project).parent / "no index").mkdir()

    assert len(await similar(workshop, project)) == 3
    result = await workshop.index(project)

    assert result.unchanged == result.num_documents
    # That of the indexing may say by now when its documents were written.
    expected = before | {"icu-en": [digest_now(workshop, project)]}
    assert await kept(workshop, project) == expected
    assert await workshop.rows("SELECT 1 FROM project WHERE takes_unknown_indexes") == []


async def test_an_erasure_leaves_known_indexes_and_removes_others(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    await workshop.index(project, locale="de")
    exchange_documents(index_of(workshop, project, "icu-de"))

    await workshop.erase(project, project.document_ids[0])

    assert not index_of(workshop, project, "icu-de").exists()
    assert await kept(workshop, project) == {"icu-en": [digest_now(workshop, project)]}
    choice = IndexChoice(project_id=project.project_id)
    found = await find_similar(workshop.admin(), choice, "a text", limit=3)
    assert found is not None
