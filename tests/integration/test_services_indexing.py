"""Indexing, called as a script would call it."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.layout import PathOutsideProjectError
from lexiclass_worker.errors import InvalidRequest, NoDocuments, NotFound, WorkerError, translate
from lexiclass_worker.repositories import documents
from lexiclass_worker.repositories.documents import ListedDocuments
from lexiclass_worker.repositories.locks import index_lock
from tests.support.corpora import add_document, make_text
from tests.support.services import Workshop, content_below

PROJECT_STATUS = "SELECT index_status, last_indexed_at FROM project WHERE id = :id"
DOCUMENT_STATUS = "SELECT index_status FROM document WHERE id = :id"


async def test_a_project_is_indexed_and_its_rows_say_so(workshop: Workshop) -> None:
    project = await workshop.project(training=3, test=1)

    result = await workshop.index(project)

    assert result.status == "completed"
    assert result.num_documents == result.added == 12
    assert (result.changed, result.removed, result.unchanged, result.num_skipped) == (0, 0, 0, 0)
    assert Path(result.index_path) == workshop.path / str(project.project_id) / "indexes" / "icu-en"
    assert (Path(result.index_path) / "index.json").is_file()
    row = await workshop.row(PROJECT_STATUS, id=project.project_id)
    assert row["index_status"] == "indexed"
    assert row["last_indexed_at"] is not None
    statuses = await workshop.rows("SELECT DISTINCT index_status FROM document")
    assert statuses == [{"index_status": "indexed"}]


async def test_an_incremental_run_counts_what_was_added_changed_removed_and_kept(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=2, test=1)
    await workshop.index(project)
    changed, removed, broken, *kept = project.document_ids
    workshop.document(project, changed).write_text("something else entirely")
    workshop.document(project, broken).write_bytes(b"\x00\x01\x02")
    await workshop.execute("DELETE FROM document WHERE id = :id", id=removed)
    async with workshop.sessions.begin() as session:
        await add_document(session, workshop.path, project.project_id, "a new document")

    result = await workshop.index(project)

    assert (result.added, result.changed, result.removed) == (1, 1, 1)
    assert result.unchanged == len(kept)
    assert result.num_documents == result.added + result.changed + result.unchanged
    assert [document.document_id for document in result.skipped] == [broken]
    assert result.num_skipped == 1


async def test_the_same_message_twice_leaves_the_same_rows(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=1)
    first = await workshop.index(project, message_id="m")
    documents = await workshop.rows("SELECT * FROM document ORDER BY id")

    second = await workshop.index(project, message_id="m")

    assert (second.num_documents, second.unchanged) == (first.num_documents, first.added)
    assert await workshop.rows("SELECT * FROM document ORDER BY id") == documents


async def test_a_full_run_indexes_everything_anew(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    await workshop.index(project)

    result = await workshop.index(project, is_incremental=False)

    assert result.unchanged == 0
    assert result.added + result.changed == result.num_documents == 6
    assert not result.is_incremental


async def test_each_locale_has_an_index_of_its_own(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)

    english, german = await workshop.index(project), await workshop.index(project, locale="de")

    assert english.index_path != german.index_path
    assert german.added == 6


async def test_a_request_without_a_locale_takes_that_of_the_settings(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    workshop.settings = workshop.settings.model_copy(update={"lexiclass_locale": "de"})

    assert (await workshop.index(project)).index_path.endswith("icu-de")
    assert (await workshop.index(project, locale="en")).index_path.endswith("icu-en")


async def test_documents_that_cannot_be_read_are_reported_and_the_rest_is_indexed(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)
    missing, binary, garbled, large, folder, *rest = project.document_ids
    workshop.document(project, missing).unlink()
    workshop.document(project, binary).write_bytes(b"PK\x03\x04\x00\x00")
    workshop.document(project, garbled).write_bytes(b"\xff\xfe\xd8")
    workshop.document(project, large).write_text("word " * 1000)
    workshop.document(project, folder).unlink()
    workshop.document(project, folder).mkdir()
    limits = workshop.settings.limits.model_copy(update={"document_bytes": 2000})
    workshop.settings = workshop.settings.model_copy(update={"limits": limits})

    result = await workshop.index(project)

    assert {document.document_id: document.reason for document in result.skipped} == {
        missing: "missing",
        binary: "binary",
        garbled: "unknown encoding",
        large: "too large",
        folder: "Is a directory",
    }
    assert (result.num_skipped, result.num_documents) == (5, len(rest))
    for document_id, status in ((missing, "failed"), (rest[0], "indexed")):
        assert (await workshop.row(DOCUMENT_STATUS, id=document_id))["index_status"] == status
    assert (await workshop.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "indexed"


@pytest.mark.slow
async def test_a_document_that_can_be_read_again_is_indexed_again(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    document_id = project.document_ids[0]
    workshop.document(project, document_id).unlink()
    await workshop.index(project)
    workshop.document(project, document_id).write_text("back again")

    result = await workshop.index(project)

    assert (result.added, result.num_skipped) == (1, 0)
    assert (await workshop.row(DOCUMENT_STATUS, id=document_id))["index_status"] == "indexed"


async def test_at_most_a_hundred_skipped_documents_are_listed_and_all_are_counted(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=1, test=0)
    await workshop.execute(
        "INSERT INTO document (project_id) SELECT :id FROM generate_series(1, 120)",
        id=project.project_id,
    )

    result = await workshop.index(project)

    assert (result.num_skipped, len(result.skipped)) == (120, 100)


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("naïve café déjà vu; où est l'été ?".encode("latin-1"), {"café", "été"}),
        ("Größe und Übermaß".encode("utf-16"), {"größe", "übermaß"}),
        ("Größe und Übermaß".encode("utf-8-sig"), {"größe", "übermaß"}),
    ],
    ids=["latin-1", "utf-16", "utf-8 with a mark"],
)
async def test_other_encodings_are_detected(
    workshop: Workshop, content: bytes, words: set[str]
) -> None:
    project = await workshop.project(training=1, test=0)
    async with workshop.sessions.begin() as session:
        await add_document(session, workshop.path, project.project_id, content)

    result = await workshop.index(project)

    assert result.num_skipped == 0
    stored = content_below(result.index_path)
    for word in words:
        assert word.encode() in stored


async def test_empty_documents_are_indexed(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    for document_id in project.document_ids:
        workshop.document(project, document_id).write_text(" \n")

    result = await workshop.index(project)

    assert (result.num_documents, result.num_skipped) == (3, 0)


async def test_a_project_without_documents_has_nothing_to_index(workshop: Workshop) -> None:
    project = await workshop.project(training=0, test=0)

    with pytest.raises(NoDocuments, match="has no documents"):
        await workshop.index(project)


async def test_documents_that_are_all_missing_fail_the_task_and_the_rows(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=1, test=0)
    for document_id in project.document_ids:
        workshop.document(project, document_id).unlink()

    with pytest.raises(NoDocuments, match="none of the 3 documents") as raised:
        await workshop.index(project)

    assert raised.value.details["num_skipped"] == 3
    assert raised.value.details["skipped"][0]["reason"] == "missing"
    assert (await workshop.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "failed"
    statuses = await workshop.rows("SELECT DISTINCT index_status FROM document")
    assert statuses == [{"index_status": "failed"}]


async def test_a_missing_project_is_not_found(workshop: Workshop) -> None:
    with pytest.raises(NotFound, match="project 4711 does not exist"):
        await workshop.index(4711)


async def test_a_failure_in_the_sandbox_fails_the_project(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)

    with pytest.raises(WorkerError) as raised:
        await workshop.index(project, tokenizer="no-such-tokenizer")

    assert raised.value.code == "PLUGIN_NOT_FOUND"
    assert "icu" in raised.value.message
    assert (await workshop.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "failed"


async def test_a_failed_indexing_leaves_a_project_with_the_index_it_had(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=1, test=0)
    await workshop.index(project)
    before = await workshop.row(PROJECT_STATUS, id=project.project_id)

    with pytest.raises(WorkerError):
        await workshop.index(project, tokenizer="no-such-tokenizer")

    assert await workshop.row(PROJECT_STATUS, id=project.project_id) == before
    assert before["index_status"] == "indexed"
    for document_id in project.document_ids:
        workshop.document(project, document_id).unlink()
    for tokenizer in ("icu", "no-such-tokenizer"):  # the first leaves an index of no document
        with pytest.raises(WorkerError):
            await workshop.index(project, tokenizer=tokenizer)
        status = await workshop.row(PROJECT_STATUS, id=project.project_id)
        assert status["index_status"] == "failed"


@pytest.mark.slow
async def test_documents_can_lie_in_another_folder_of_the_project(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    folder = workshop.path / str(project.project_id) / "incoming" / "today"
    folder.mkdir(parents=True)
    for document_id in project.document_ids:
        workshop.document(project, document_id).rename(folder / f"{document_id}.txt")

    spellings = ("incoming/today", f"{project.project_id}/incoming/today", str(folder))
    for spelling in spellings:
        result = await workshop.index(project, documents_path=spelling, is_incremental=False)
        assert (result.num_documents, result.num_skipped) == (3, 0)


async def test_a_folder_that_does_not_exist_is_not_found(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)

    for spelling in ("nowhere", f"documents/{project.document_ids[0]}.txt", "x" * 300):
        with pytest.raises(NotFound, match="is no folder"):
            await workshop.index(project, documents_path=spelling)


@pytest.mark.parametrize(
    "spelling",
    [
        "..",
        "../{other}/documents",
        "documents/../../{other}/documents",
        "{own}/../{other}/documents",
        "{other}/documents",
        "./{other}/documents",
        "/etc",
        "{base}/{other}/documents",
        "{base}",
        "{base}/",
        "{base}//etc",
        "{base}/{own}/../{other}",
        "file:///etc",
        "..\\{other}",
        "documents\0",
    ],
)
async def test_a_documents_path_outside_the_project_is_refused(
    workshop: Workshop, spelling: str
) -> None:
    other = await workshop.project(training=1, test=0)
    project = await workshop.project(training=1, test=0)
    path = spelling.format(base=workshop.path, own=project.project_id, other=other.project_id)

    with pytest.raises(PathOutsideProjectError) as raised:
        await workshop.index(project, documents_path=path)

    assert translate(raised.value).code == "VALIDATION_ERROR"
    status = await workshop.row(PROJECT_STATUS, id=project.project_id)
    assert status["index_status"] == "pending"


@pytest.mark.parametrize("place", ["link", "link/documents", "documents/link"])
async def test_a_documents_path_through_a_link_out_of_the_project_is_refused(
    workshop: Workshop, place: str
) -> None:
    other = await workshop.project(training=1, test=0)
    project = await workshop.project(training=1, test=0)
    root = workshop.path / str(project.project_id)
    link = root / (place if place.endswith("link") else "link")
    link.symlink_to(workshop.path / str(other.project_id))

    with pytest.raises(InvalidRequest, match="link") as raised:
        await workshop.index(project, documents_path=place)

    assert raised.value.code == "VALIDATION_ERROR"


async def test_a_link_inside_the_project_is_followed(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    root = workshop.path / str(project.project_id)
    (root / "latest").symlink_to(root / "documents")

    result = await workshop.index(project, documents_path="latest")

    assert result.num_documents == 3


@pytest.mark.parametrize(
    "content_path",
    [
        "../{other}/documents/{foreign}.txt",
        "{other}/documents/{foreign}.txt",
        "{base}/{other}/documents/{foreign}.txt",
        "/etc/passwd",
        "file:///etc/passwd",
        "documents/out.txt",
        "out/{foreign}.txt",
    ],
)
async def test_a_content_path_outside_the_project_is_never_read(
    workshop: Workshop, content_path: str
) -> None:
    other = await workshop.project(training=1, test=0)
    foreign = other.document_ids[0]
    secret = "correcthorsebatterystaple"
    workshop.document(other, foreign).write_text(secret)
    project = await workshop.project(training=1, test=0)
    root = workshop.path / str(project.project_id)
    (root / "documents" / "out.txt").symlink_to(workshop.document(other, foreign))
    (root / "out").symlink_to(workshop.path / str(other.project_id) / "documents")
    path = content_path.format(base=workshop.path, other=other.project_id, foreign=foreign)
    suspect = project.document_ids[0]
    workshop.document(project, suspect).unlink()
    await workshop.execute(
        "UPDATE document SET content_path = :path WHERE id = :id", path=path, id=suspect
    )

    result = await workshop.index(project)

    assert [document.document_id for document in result.skipped] == [suspect]
    stored = content_below(result.index_path)
    assert secret.encode() not in stored
    assert b"root" not in stored


async def test_a_document_that_is_a_link_out_of_the_project_is_never_read(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=1, test=0)
    suspect = workshop.document(project, project.document_ids[0])
    suspect.unlink()
    suspect.symlink_to("/etc/passwd")

    result = await workshop.index(project)

    assert [document.reason for document in result.skipped] == ["a symbolic link"]


async def test_a_named_pipe_is_no_document_and_blocks_nothing(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    pipe = workshop.document(project, project.document_ids[0])
    pipe.unlink()
    os.mkfifo(pipe)

    result = await workshop.index(project)

    assert [document.reason for document in result.skipped] == ["not a regular file"]


@pytest.mark.parametrize(
    "spelling", ["{own}/texts/a.txt", "texts/a.txt", "{base}/{own}/texts/a.txt"]
)
async def test_a_content_path_inside_the_project_is_read(workshop: Workshop, spelling: str) -> None:
    project = await workshop.project(training=1, test=0)
    texts = workshop.path / str(project.project_id) / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text(make_text("animals", 99) + " quagga")
    moved = project.document_ids[0]
    workshop.document(project, moved).unlink()
    path = spelling.format(base=workshop.path, own=project.project_id)
    async with workshop.sessions.begin() as session:
        await session.execute(
            text("UPDATE document SET content_path = :path WHERE id = :id"),
            {"path": path, "id": moved},
        )

    result = await workshop.index(project)

    assert result.num_skipped == 0
    assert b"quagga" in content_below(result.index_path)


async def test_features_that_are_learned_can_not_be_indexed(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)

    with pytest.raises(WorkerError, match="learns from the training documents") as raised:
        await workshop.index(project, feature_extractor="tfidf")

    assert raised.value.code == "VALIDATION_ERROR"
    with pytest.raises(InvalidRequest, match="without a feature_extractor"):
        await workshop.index(project, feature_extractor_params={"max_tokens": 64})
    assert (await workshop.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "pending"


@pytest.mark.slow
async def test_a_second_indexing_waits_for_the_first_and_nobody_else_does(
    workshop: Workshop,
) -> None:
    project, other = [await workshop.project(training=2, test=1) for _ in range(2)]
    await workshop.index(project)
    await workshop.train(project)
    project_id = project.project_id

    async with index_lock(workshop.sessions, project_id, silence_s=15):
        second = asyncio.create_task(workshop.index(project, is_incremental=False))
        await workshop.index(other)
        await workshop.predict(project)
        # Longer than it takes to ask for the lock again.
        await asyncio.sleep(1)
        assert not second.done()
        row = await workshop.row(PROJECT_STATUS, id=project_id)
        assert row["index_status"] == "indexed"

    async with asyncio.timeout(60):
        assert (await second).status == "completed"


async def test_a_lock_ends_with_the_connection_that_holds_it(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=1)
    async with index_lock(workshop.sessions, project.project_id, silence_s=15) as lost:
        ended = await workshop.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert len(ended) == 1
        async with asyncio.timeout(60):
            assert (await workshop.index(project)).status == "completed"
        with pytest.raises(SQLAlchemyError):
            await lost.confirm()


async def test_documents_are_listed_a_page_at_a_time(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await workshop.project(training=2, test=2)
    await workshop.project(training=1, test=1)
    ids = project.document_ids
    assert len(ids) % 4 == 0  # the last page is full
    await workshop.execute("UPDATE document SET content_path = 'x' WHERE id = :id", id=ids[0])
    await workshop.execute("UPDATE document SET index_status = 'indexed' WHERE id = :i", i=ids[1])
    statement = documents._page_after(4)
    monkeypatch.setattr(documents, "_PAGE_AFTER", statement)

    async with workshop.sessions() as session:
        listed = await documents.list_documents(session, project.project_id)
        nothing = await documents.list_documents(session, 4711)

    assert list(listed.documents) == [(ids[0], "x"), *((number, None) for number in ids[1:])]
    assert listed.unindexed.tolist() == [ids[0], *ids[2:]]
    assert (len(nothing.documents), len(nothing.unindexed)) == (0, 0)


async def test_a_row_that_somebody_changes_meanwhile_is_left_to_them(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await workshop.project(training=2, test=1)
    await workshop.index(project)
    edited = project.document_ids[0]
    list_documents = documents.list_documents

    async def list_and_edit(session: AsyncSession, project_id: int) -> ListedDocuments:
        listed = await list_documents(session, project_id)
        change = "UPDATE document SET index_status = 'pending' WHERE id = :id"
        await workshop.execute(change, id=edited)
        return listed

    monkeypatch.setattr(documents, "list_documents", list_and_edit)
    await workshop.index(project)

    for document_id in project.document_ids:
        (status,) = (await workshop.row(DOCUMENT_STATUS, id=document_id)).values()
        assert status == ("pending" if document_id == edited else "indexed")
