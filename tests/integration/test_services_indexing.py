"""Indexing, called as a script would call it."""

import os
from pathlib import Path

import pytest
from sqlalchemy import text

from lexiclass_core.layout import PathOutsideProjectError
from lexiclass_worker.errors import InvalidRequest, NoDocuments, NotFound, WorkerError, translate
from tests.support.corpora import add_document, make_text
from tests.support.services import House

PROJECT_STATUS = "SELECT index_status, last_indexed_at FROM project WHERE id = :id"
DOCUMENT_STATUS = "SELECT index_status FROM document WHERE id = :id"


async def test_a_project_is_indexed_and_its_rows_say_so(house: House) -> None:
    project = await house.project(training=3, test=1)

    result = await house.index(project)

    assert result.status == "completed"
    assert result.num_documents == result.added == 12
    assert (result.changed, result.removed, result.unchanged, result.num_skipped) == (0, 0, 0, 0)
    assert Path(result.index_path) == house.path / str(project.project_id) / "indexes" / "icu-en"
    assert (Path(result.index_path) / "index.json").is_file()
    row = await house.row(PROJECT_STATUS, id=project.project_id)
    assert row["index_status"] == "indexed"
    assert row["last_indexed_at"] is not None
    statuses = await house.rows("SELECT DISTINCT index_status FROM document")
    assert statuses == [{"index_status": "indexed"}]


async def test_an_incremental_run_counts_what_was_added_changed_removed_and_kept(
    house: House,
) -> None:
    project = await house.project(training=2, test=1)
    await house.index(project)
    changed, removed, broken, *kept = project.document_ids
    house.document(project, changed).write_text("something else entirely")
    house.document(project, broken).write_bytes(b"\x00\x01\x02")
    await house.execute("DELETE FROM document WHERE id = :id", id=removed)
    async with house.sessions.begin() as session:
        await add_document(session, house.path, project.project_id, "a new document")

    result = await house.index(project)

    assert (result.added, result.changed, result.removed) == (1, 1, 1)
    assert result.unchanged == len(kept)
    assert result.num_documents == result.added + result.changed + result.unchanged
    assert [document.document_id for document in result.skipped] == [broken]
    assert result.num_skipped == 1


async def test_the_same_message_twice_leaves_the_same_rows(house: House) -> None:
    project = await house.project(training=2, test=1)
    first = await house.index(project, message_id="m")
    documents = await house.rows("SELECT * FROM document ORDER BY id")

    second = await house.index(project, message_id="m")

    assert (second.num_documents, second.unchanged) == (first.num_documents, first.added)
    assert await house.rows("SELECT * FROM document ORDER BY id") == documents


async def test_a_full_run_indexes_everything_anew(house: House) -> None:
    project = await house.project(training=2, test=0)
    await house.index(project)

    result = await house.index(project, is_incremental=False)

    assert result.unchanged == 0
    assert result.added + result.changed == result.num_documents == 6
    assert not result.is_incremental


async def test_each_locale_has_an_index_of_its_own(house: House) -> None:
    project = await house.project(training=2, test=0)

    english, german = await house.index(project), await house.index(project, locale="de")

    assert english.index_path != german.index_path
    assert german.added == 6


async def test_a_request_without_a_locale_takes_that_of_the_settings(house: House) -> None:
    project = await house.project(training=2, test=0)
    house.settings = house.settings.model_copy(update={"lexiclass_locale": "de"})

    assert (await house.index(project)).index_path.endswith("icu-de")
    assert (await house.index(project, locale="en")).index_path.endswith("icu-en")


async def test_documents_that_cannot_be_read_are_reported_and_the_rest_is_indexed(
    house: House,
) -> None:
    project = await house.project(training=4, test=0)
    missing, binary, garbled, large, folder, *rest = project.document_ids
    house.document(project, missing).unlink()
    house.document(project, binary).write_bytes(b"PK\x03\x04\x00\x00")
    house.document(project, garbled).write_bytes(b"\xff\xfe\xd8")
    house.document(project, large).write_text("word " * 1000)
    house.document(project, folder).unlink()
    house.document(project, folder).mkdir()
    limits = house.settings.limits.model_copy(update={"document_bytes": 2000})
    house.settings = house.settings.model_copy(update={"limits": limits})

    result = await house.index(project)

    assert {document.document_id: document.reason for document in result.skipped} == {
        missing: "missing",
        binary: "binary",
        garbled: "unknown encoding",
        large: "too large",
        folder: "Is a directory",
    }
    assert (result.num_skipped, result.num_documents) == (5, len(rest))
    for document_id, status in ((missing, "failed"), (rest[0], "indexed")):
        assert (await house.row(DOCUMENT_STATUS, id=document_id))["index_status"] == status
    assert (await house.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "indexed"


async def test_a_document_that_can_be_read_again_is_indexed_again(house: House) -> None:
    project = await house.project(training=2, test=0)
    document_id = project.document_ids[0]
    house.document(project, document_id).unlink()
    await house.index(project)
    house.document(project, document_id).write_text("back again")

    result = await house.index(project)

    assert (result.added, result.num_skipped) == (1, 0)
    assert (await house.row(DOCUMENT_STATUS, id=document_id))["index_status"] == "indexed"


async def test_at_most_a_hundred_skipped_documents_are_listed_and_all_are_counted(
    house: House,
) -> None:
    project = await house.project(training=1, test=0)
    await house.execute(
        "INSERT INTO document (project_id) SELECT :id FROM generate_series(1, 120)",
        id=project.project_id,
    )

    result = await house.index(project)

    assert (result.num_skipped, len(result.skipped)) == (120, 100)


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
    house: House, content: bytes, words: set[str]
) -> None:
    project = await house.project(training=1, test=0)
    async with house.sessions.begin() as session:
        await add_document(session, house.path, project.project_id, content)

    result = await house.index(project)

    assert result.num_skipped == 0
    stored = b"".join(file.read_bytes() for file in Path(result.index_path).rglob("*.*"))
    for word in words:
        assert word.encode() in stored


async def test_empty_documents_are_indexed(house: House) -> None:
    project = await house.project(training=1, test=0)
    for document_id in project.document_ids:
        house.document(project, document_id).write_text(" \n")

    result = await house.index(project)

    assert (result.num_documents, result.num_skipped) == (3, 0)


async def test_a_project_without_documents_has_nothing_to_index(house: House) -> None:
    project = await house.project(training=0, test=0)

    with pytest.raises(NoDocuments, match="has no documents"):
        await house.index(project)


async def test_documents_that_are_all_missing_fail_the_task_and_the_rows(house: House) -> None:
    project = await house.project(training=1, test=0)
    for document_id in project.document_ids:
        house.document(project, document_id).unlink()

    with pytest.raises(NoDocuments, match="none of the 3 documents") as raised:
        await house.index(project)

    assert raised.value.details["num_skipped"] == 3
    assert raised.value.details["skipped"][0]["reason"] == "missing"
    assert (await house.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "failed"
    statuses = await house.rows("SELECT DISTINCT index_status FROM document")
    assert statuses == [{"index_status": "failed"}]


async def test_a_missing_project_is_not_found(house: House) -> None:
    with pytest.raises(NotFound, match="project 4711 does not exist"):
        await house.index(4711)


async def test_a_failure_in_the_sandbox_fails_the_project(house: House) -> None:
    project = await house.project(training=1, test=0)

    with pytest.raises(WorkerError) as raised:
        await house.index(project, tokenizer="no-such-tokenizer")

    assert raised.value.code == "PLUGIN_NOT_FOUND"
    assert "icu" in raised.value.message
    assert (await house.row(PROJECT_STATUS, id=project.project_id))["index_status"] == "failed"


async def test_documents_can_lie_in_another_folder_of_the_project(house: House) -> None:
    project = await house.project(training=1, test=0)
    folder = house.path / str(project.project_id) / "incoming" / "today"
    folder.mkdir(parents=True)
    for document_id in project.document_ids:
        house.document(project, document_id).rename(folder / f"{document_id}.txt")

    spellings = ("incoming/today", f"{project.project_id}/incoming/today", str(folder))
    for spelling in spellings:
        result = await house.index(project, documents_path=spelling, is_incremental=False)
        assert (result.num_documents, result.num_skipped) == (3, 0)


async def test_a_folder_that_does_not_exist_is_not_found(house: House) -> None:
    project = await house.project(training=1, test=0)

    for spelling in ("nowhere", f"documents/{project.document_ids[0]}.txt", "x" * 300):
        with pytest.raises(NotFound, match="is no folder"):
            await house.index(project, documents_path=spelling)


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
    house: House, spelling: str
) -> None:
    other = await house.project(training=1, test=0)
    project = await house.project(training=1, test=0)
    path = spelling.format(base=house.path, own=project.project_id, other=other.project_id)

    with pytest.raises(PathOutsideProjectError) as raised:
        await house.index(project, documents_path=path)

    assert translate(raised.value).code == "VALIDATION_ERROR"
    status = await house.row(PROJECT_STATUS, id=project.project_id)
    assert status["index_status"] == "pending"


@pytest.mark.parametrize("place", ["link", "link/documents", "documents/link"])
async def test_a_documents_path_through_a_link_out_of_the_project_is_refused(
    house: House, place: str
) -> None:
    other = await house.project(training=1, test=0)
    project = await house.project(training=1, test=0)
    root = house.path / str(project.project_id)
    link = root / (place if place.endswith("link") else "link")
    link.symlink_to(house.path / str(other.project_id))

    with pytest.raises(InvalidRequest, match="link") as raised:
        await house.index(project, documents_path=place)

    assert raised.value.code == "VALIDATION_ERROR"


async def test_a_link_inside_the_project_is_followed(house: House) -> None:
    project = await house.project(training=1, test=0)
    root = house.path / str(project.project_id)
    (root / "latest").symlink_to(root / "documents")

    result = await house.index(project, documents_path="latest")

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
    house: House, content_path: str
) -> None:
    other = await house.project(training=1, test=0)
    foreign = other.document_ids[0]
    secret = "correcthorsebatterystaple"
    house.document(other, foreign).write_text(secret)
    project = await house.project(training=1, test=0)
    root = house.path / str(project.project_id)
    (root / "documents" / "out.txt").symlink_to(house.document(other, foreign))
    (root / "out").symlink_to(house.path / str(other.project_id) / "documents")
    path = content_path.format(base=house.path, other=other.project_id, foreign=foreign)
    suspect = project.document_ids[0]
    house.document(project, suspect).unlink()
    await house.execute(
        "UPDATE document SET content_path = :path WHERE id = :id", path=path, id=suspect
    )

    result = await house.index(project)

    assert [document.document_id for document in result.skipped] == [suspect]
    index = Path(result.index_path)
    stored = b"".join(file.read_bytes() for file in index.rglob("*") if file.is_file())
    assert secret.encode() not in stored
    assert b"root" not in stored


async def test_a_document_that_is_a_link_out_of_the_project_is_never_read(house: House) -> None:
    project = await house.project(training=1, test=0)
    suspect = house.document(project, project.document_ids[0])
    suspect.unlink()
    suspect.symlink_to("/etc/passwd")

    result = await house.index(project)

    assert [document.reason for document in result.skipped] == ["a symbolic link"]


async def test_a_named_pipe_is_no_document_and_blocks_nothing(house: House) -> None:
    project = await house.project(training=1, test=0)
    pipe = house.document(project, project.document_ids[0])
    pipe.unlink()
    os.mkfifo(pipe)

    result = await house.index(project)

    assert [document.reason for document in result.skipped] == ["not a regular file"]


@pytest.mark.parametrize("spelling", ["{own}/texts/a.txt", "texts/a.txt", "{base}/{own}/texts/a.txt"])
async def test_a_content_path_inside_the_project_is_read(house: House, spelling: str) -> None:
    project = await house.project(training=1, test=0)
    texts = house.path / str(project.project_id) / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text(make_text("animals", 99) + " quagga")
    moved = project.document_ids[0]
    house.document(project, moved).unlink()
    path = spelling.format(base=house.path, own=project.project_id)
    async with house.sessions.begin() as session:
        await session.execute(
            text("UPDATE document SET content_path = :path WHERE id = :id"),
            {"path": path, "id": moved},
        )

    result = await house.index(project)

    assert result.num_skipped == 0
    index = Path(result.index_path)
    assert any(b"quagga" in file.read_bytes() for file in index.rglob("*") if file.is_file())
