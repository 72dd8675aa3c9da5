"""A project that gets more documents, labels and fields, and has those it has corrected."""

import asyncio
import csv
import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import openpyxl
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lexiclass.corpora import Columns
from lexiclass_core.documents import (
    DocumentNotFound,
    InvalidDocument,
    Label,
    NewDocument,
    ProjectNotFound,
    adding,
    find_documents,
    remove_label,
    set_label,
    settle,
    unsettled,
)
from lexiclass_worker.admin.import_report import ImportReport, ImportRequest
from lexiclass_worker.admin.importing import import_corpus
from lexiclass_worker.artifacts.local import LocalStorage
from tests.support.corpora import SmallProject, make_text
from tests.support.services import Workshop

ROWS = """
    SELECT d.id, d.external_id, d.content_path, d.metadata, d.index_status, f.name AS field,
        c.name AS label, l.is_training_data
    FROM document d LEFT JOIN document_label l ON l.document_id = d.id
    LEFT JOIN field f ON f.id = l.field_id LEFT JOIN field_class c ON c.id = l.class_id
    WHERE d.project_id = :project ORDER BY d.id, f.id
"""


def table(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    rows = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def records(first: int, last: int) -> list[dict[str, str]]:
    words = ("animals", "vehicles")
    return [
        {"id": f"doc-{n:04}", "text": f"{make_text(words[n % 2], n)} nr {n}", "label": words[n % 2]}
        for n in range(first, last)
    ]


async def run(
    workshop: Workshop, path: Path, project: str | int = "shop", **arguments: Any
) -> ImportReport:
    request = ImportRequest(
        path=path, project=project, test_fraction=0.2, max_bytes=100_000, **arguments
    )
    return await import_corpus(workshop.admin(), request)


async def state(workshop: Workshop, project_id: int) -> list[dict[str, Any]]:
    rows = await workshop.rows(ROWS, project=project_id)
    return [{**row, "text": (workshop.path / row["content_path"]).read_text()} for row in rows]


def files(workshop: Workshop) -> dict[str, bytes]:
    return {
        path.relative_to(workshop.path).as_posix(): path.read_bytes()
        for path in workshop.path.rglob("*")
        if path.is_file()
    }


def counts(report: ImportReport) -> tuple[int, int, int]:
    return report.counts.added, report.counts.changed, report.counts.unchanged


def label_counts(report: ImportReport) -> tuple[int, int]:
    return report.counts.labels_added, report.counts.labels_changed


async def test_more_documents_come_to_the_project_that_is_named(
    workshop: Workshop, tmp_path: Path
) -> None:
    first = await run(workshop, table(tmp_path / "first.csv", records(0, 60)))
    more = table(tmp_path / "more.csv", records(60, 260))

    report = await run(workshop, more, first.project_id)

    assert (first.project_id, first.fields) == (report.project_id, report.fields)
    assert (counts(report), label_counts(report)) == ((200, 0, 0), (200, 0))
    assert len(await workshop.rows("SELECT id FROM project")) == 1
    classes = await workshop.rows(
        "SELECT c.name, count(*) AS n FROM document_label l "
        "JOIN field_class c ON c.id = l.class_id GROUP BY c.name ORDER BY c.name"
    )
    assert [tuple(row.values()) for row in classes] == [("animals", 130), ("vehicles", 130)]


async def test_the_same_file_again_changes_nothing(workshop: Workshop, tmp_path: Path) -> None:
    path = table(tmp_path / "first.csv", records(0, 30))
    first = await run(workshop, path)
    before, stored = await state(workshop, first.project_id), files(workshop)
    updated = "SELECT max(updated_at) AS at FROM document_label"
    moment = await workshop.row(updated)

    report = await run(workshop, path, first.project_id)

    assert (counts(report), label_counts(report)) == ((0, 0, 30), (0, 0))
    assert await state(workshop, first.project_id) == before
    assert files(workshop) == stored
    assert await workshop.row(updated) == moment


async def test_the_ids_of_the_source_are_kept(workshop: Workshop, tmp_path: Path) -> None:
    report = await run(workshop, table(tmp_path / "first.csv", records(0, 2)))

    rows = await state(workshop, report.project_id)
    assert [row["external_id"] for row in rows] == ["doc-0000", "doc-0001"]
    assert rows[0]["metadata"] == {"id": "doc-0000", "source": "first.csv:2"}


async def test_a_folder_with_a_table_of_labels_keeps_the_names_of_the_files(
    workshop: Workshop, tmp_path: Path
) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"letter-{number}.txt").write_text(f"letter {number}")
    table(folder / "labels.csv", [{"id": "letter-1", "label": "x"}])

    report = await run(workshop, folder)

    rows = await state(workshop, report.project_id)
    assert [row["metadata"]["id"] for row in rows] == ["letter-1", "letter-2"]


async def test_a_changed_label_replaces_the_old_one_and_a_changed_text_the_text(
    workshop: Workshop, tmp_path: Path
) -> None:
    rows = records(0, 10)
    first = await run(workshop, table(tmp_path / "first.csv", rows))
    await workshop.index(first.project_id)
    before = await state(workshop, first.project_id)
    rows[1]["label"], rows[2]["text"] = "animals", "quite another text"

    report = await run(workshop, table(tmp_path / "second.csv", rows), first.project_id)

    assert (counts(report), label_counts(report)) == ((0, 1, 9), (0, 1))
    after = await state(workshop, first.project_id)
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert after[1] == {**before[1], "label": "animals"}
    assert after[2] == {
        **before[2],
        "text": "quite another text",
        "index_status": "pending",
        "metadata": {"id": "doc-0002", "source": "second.csv:4"},
    }
    # The new text lies where the old one did, and nothing lies beside.
    assert after[2]["content_path"] == f"{first.project_id}/documents/{after[2]['id']}.txt"
    assert {name.split("/")[1] for name in files(workshop)} == {"documents", "indexes"}
    indexed = await workshop.index(first.project_id)
    assert (indexed.changed, indexed.unchanged) == (1, 9)


async def test_a_split_that_is_not_told_again_stays(workshop: Workshop, tmp_path: Path) -> None:
    rows = [{**row, "split": "test"} for row in records(0, 6)]
    first = await run(workshop, table(tmp_path / "a.csv", rows))
    for row in rows:
        row["split"] = ""
    rows[0] |= {"label": "vehicles", "text": "another"}
    rows[1]["split"] = "train"

    report = await run(workshop, table(tmp_path / "b.csv", rows), first.project_id)

    assert label_counts(report) == (0, 2)
    uses = [row["is_training_data"] for row in await state(workshop, first.project_id)]
    assert uses == [False, True, False, False, False, False]


async def test_texts_without_ids_are_known_by_their_text(
    workshop: Workshop, tmp_path: Path
) -> None:
    rows = [{"text": word, "label": "x"} for word in ("one", "two", "two", "three")]
    first = await run(workshop, table(tmp_path / "a.csv", rows))
    assert counts(first) == (4, 0, 0)
    # A line was put in between, and one label is another.
    rows.insert(1, {"text": "four", "label": "y"})
    rows[4]["label"] = "y"

    report = await run(workshop, table(tmp_path / "b.csv", rows), first.project_id)

    assert (counts(report), label_counts(report)) == ((1, 0, 4), (1, 1))
    assert all("id" not in row["metadata"] for row in await state(workshop, first.project_id))


async def test_several_fields_come_from_one_file(workshop: Workshop, tmp_path: Path) -> None:
    rows = [
        {"text": f"text {n}", "topic": ("farm", "law")[n % 2], "language": ("en", "de")[n // 10]}
        for n in range(20)
    ]
    columns = Columns(labels={"topic": "topic", "language": "language"})

    report = await run(workshop, table(tmp_path / "two.csv", rows), columns=columns)

    assert list(report.fields) == ["topic", "language"]
    assert (counts(report), label_counts(report)) == ((20, 0, 0), (40, 0))
    found = {
        (row["field"], row["label"], row["text"])
        for row in await state(workshop, report.project_id)
    }
    expected = {(name, row[name], row["text"]) for row in rows for name in ("topic", "language")}
    assert found == expected


async def test_a_field_is_added_to_documents_that_are_there_by_their_ids_alone(
    workshop: Workshop, tmp_path: Path
) -> None:
    first = await run(workshop, table(tmp_path / "first.csv", records(0, 4)))
    told = [{"id": f"doc-{n:04}", "lang": ("en", "de")[n % 2]} for n in range(3)]
    told.append({"id": "doc-9999", "lang": "en"})
    sheet = openpyxl.Workbook()
    for row in (list(told[0]), *(list(row.values()) for row in told)):
        sheet.active.append(row)
    sheet.save(tmp_path / "labels.xlsx")
    lines = tmp_path / "labels.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in told))

    columns = Columns(labels={"language": "lang"})
    report = await run(
        workshop, table(tmp_path / "labels.csv", told), first.project_id, columns=columns
    )
    for path in (tmp_path / "labels.xlsx", lines):
        again = await run(workshop, path, first.project_id, columns=columns)
        found = (counts(again), label_counts(again), again.summary.num_refused)
        assert found == ((0, 0, 3), (0, 0), 1)

    assert (counts(report), label_counts(report)) == ((0, 0, 3), (3, 0))
    assert [(refusal.where, refusal.reason) for refusal in report.summary.refusals] == [
        ("labels.csv:5", "no text, and the project has no document of this id")
    ]
    rows = [row for row in await state(workshop, first.project_id) if row["field"] == "language"]
    assert [(row["external_id"], row["label"]) for row in rows] == [
        ("doc-0000", "en"), ("doc-0001", "de"), ("doc-0002", "en"),
    ]  # fmt: skip


async def test_an_id_that_comes_twice_costs_the_second_record(
    workshop: Workshop, tmp_path: Path
) -> None:
    rows = [*records(0, 2), *records(1, 3), {"id": "x" * 501, "text": "long", "label": "animals"}]

    report = await run(workshop, table(tmp_path / "a.csv", rows))

    assert [(refusal.where, refusal.reason) for refusal in report.summary.refusals] == [
        ("a.csv:4", "the id was there before: give every document once"),
        ("a.csv:6", "the id is longer than 500 characters"),
    ]
    assert counts(report) == (3, 0, 0)


async def test_a_second_project_of_one_name_is_no_accident(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = table(tmp_path / "first.csv", records(0, 4))
    first = await run(workshop, path)

    with pytest.raises(ProjectNotFound, match="project 99 does not exist"):
        await run(workshop, path, 99)
    assert {name.split("/")[0] for name in files(workshop)} == {str(first.project_id)}

    second = await run(workshop, path)

    assert (second.namesakes, second.project_id != first.project_id) == ([first.project_id], True)
    assert f"can be with --project {first.project_id}" in second.warnings[0]


class _Failing(LocalStorage):
    """Fails after so many writes of texts."""

    def __init__(self, path: Path, writes: int) -> None:
        super().__init__(path)
        self.writes = writes

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise OSError(28, "No space left on device")
        super().write_texts(texts)


@pytest.mark.parametrize("writes", range(4))
async def test_an_addition_that_fails_leaves_all_as_it_was(
    workshop: Workshop, tmp_path: Path, writes: int
) -> None:
    first = await run(workshop, table(tmp_path / "a.csv", records(0, 4)))
    before, stored = await state(workshop, first.project_id), files(workshop)
    rows = records(0, 8)
    rows[0]["text"], rows[1]["label"] = "another", "animals"
    workshop.storage = _Failing(workshop.path, writes)

    with pytest.raises(OSError, match="No space left"):
        await run(workshop, table(tmp_path / "b.csv", rows), first.project_id)

    assert await state(workshop, first.project_id) == before
    assert files(workshop) == stored


class _Killed(BaseException):
    """Stands for the end of a process."""


class _Stopped(LocalStorage):
    """Stands for a process that is killed before it has settled anything."""

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        raise _Killed

    def remove(self, path: PurePosixPath) -> None:
        raise _Killed


async def test_an_addition_of_another_database_is_left_alone(workshop: Workshop) -> None:
    """Which may be under way: nobody sees its rows, nor its locks, from here."""
    project_id = (await workshop.project(training=1, test=0)).project_id

    async def add() -> None:
        async with adding(workshop.sessions.begin, _Stopped(workshop.path), project_id) as addition:
            await addition.add([NewDocument(text="new", external_id="a")])
            raise _Killed

    with pytest.raises(_Killed):
        await add()
    (left,) = unsettled(workshop.storage)
    before = files(workshop)
    theirs = await workshop.row("SELECT key FROM installation")
    await workshop.execute("UPDATE installation SET key = gen_random_uuid()")

    assert not await settle(workshop.sessions.begin, workshop.storage, *left, waits=False)

    assert files(workshop) == before
    await workshop.execute("UPDATE installation SET key = :key", **theirs)
    assert await settle(workshop.sessions.begin, workshop.storage, *left, waits=False)
    assert unsettled(workshop.storage) == []


@pytest.mark.parametrize("commits", [True, False])
async def test_what_a_killed_addition_left_is_settled_by_whoever_looks_next(
    workshop: Workshop, *, commits: bool
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    old = [NewDocument(text="old", external_id="a")]
    async with adding(workshop.sessions.begin, workshop.storage, project_id) as addition:
        (document_id,) = await addition.add(old)
    before = files(workshop)
    killed = _Stopped(workshop.path)

    async def add() -> None:
        async with adding(workshop.sessions.begin, killed, project_id) as addition:
            await addition.add(
                [NewDocument(text="new", external_id="a"), NewDocument(text="b", external_id="b")]
            )
            if not commits:
                raise _Killed

    with pytest.raises(_Killed):
        await add()

    # Whoever reads where the row says reads the one or the other.
    row = await workshop.row("SELECT content_path FROM document WHERE id = :id", id=document_id)
    assert (workshop.path / row["content_path"]).read_text() == ("new" if commits else "old")
    (left,) = unsettled(workshop.storage)
    for _ in range(2):
        assert await settle(workshop.sessions.begin, workshop.storage, *left)
    place = f"{project_id}/documents/{document_id}.txt"
    row = await workshop.row("SELECT content_path FROM document WHERE id = :id", id=document_id)
    assert row["content_path"] == place
    if commits:
        added = await workshop.row("SELECT id FROM document WHERE external_id = 'b'")
        assert files(workshop) == {
            **before, place: b"new", f"{project_id}/documents/{added['id']}.txt": b"b",
        }  # fmt: skip
    else:
        assert files(workshop) == before
    assert unsettled(workshop.storage) == []


async def test_texts_of_a_killed_addition_are_removed_many_at_a_time(workshop: Workshop) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    before = files(workshop)
    together = threading.Barrier(8)

    class Counting(LocalStorage):
        def remove(self, path: PurePosixPath) -> None:
            if path.suffix == ".txt":
                together.wait(30)
            super().remove(path)

    with suppress(_Killed):
        async with adding(workshop.sessions.begin, _Stopped(workshop.path), project_id) as addition:
            await addition.add([NewDocument(text="t", external_id=str(n)) for n in range(64)])
            raise _Killed
    assert len(files(workshop)) > len(before) + 64
    (left,) = unsettled(workshop.storage)

    assert await settle(workshop.sessions.begin, Counting(workshop.path), *left)

    assert files(workshop) == before


async def test_what_is_said_of_a_document_is_written_where_it_differs(
    workshop: Workshop,
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id

    async def add(text: str | None, **metadata: Any) -> tuple[int, int]:
        document = NewDocument(text=text, external_id="a", metadata=metadata)
        async with adding(workshop.sessions.begin, workshop.storage, project_id) as addition:
            await addition.add([document])
        return addition.counts.changed, addition.counts.unchanged

    row = "SELECT metadata, index_status, updated_at FROM document WHERE external_id = 'a'"
    await add("one", source="a.csv:2", author="anna")
    await workshop.execute("UPDATE document SET index_status = 'indexed'")
    before = await workshop.row(row)
    assert await add("one", source="b.csv:2", author="anna") == (0, 1)
    assert await workshop.row(row) == before

    assert await add("one", source="b.csv:2", author="bert", year=1998) == (0, 1)

    after = await workshop.row(row)
    assert after["metadata"] == {"source": "a.csv:2", "author": "bert", "year": 1998}
    assert after["index_status"] == "indexed"


async def test_documents_are_there_also_if_their_files_could_not_be_tidied_up(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(LocalStorage):
        def remove(self, path: PurePosixPath) -> None:
            raise PermissionError(13, "Access Denied", str(path))

    project_id = (await workshop.project(training=1, test=0)).project_id
    begin = workshop.sessions.begin

    async with adding(begin, Failing(workshop.path), project_id) as addition:
        (document_id,) = await addition.add([NewDocument(text="one", external_id="a")])

    assert "could not be tidied up" in caplog.text
    assert "Access Denied" in caplog.text
    row = await workshop.row("SELECT id FROM document WHERE external_id = 'a'")
    assert row["id"] == document_id
    (left,) = unsettled(workshop.storage)
    assert await settle(begin, workshop.storage, *left)
    assert unsettled(workshop.storage) == []


async def test_of_a_project_of_another_database_only_what_was_added_is_removed(
    workshop: Workshop,
) -> None:
    key = "0" * 32
    texts = {
        "4711/documents/1.txt": "stays",
        "4711/documents/7.txt": "added",
        f"4711/incoming/{key}/1.txt": "replaces",
        "4711/incoming/other/1.txt": "of another addition",
        f".additions/4711-{key}/0.json": json.dumps({"new": [[7, 8]], "changed": [1]}),
    }
    workshop.storage.write_texts((PurePosixPath(path), text) for path, text in texts.items())

    assert await settle(workshop.sessions.begin, workshop.storage, 4711, key)

    assert set(files(workshop)) == {"4711/documents/1.txt", "4711/incoming/other/1.txt"}


async def test_a_newer_text_is_not_replaced_by_a_settling_that_lost_its_lock(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    begin = workshop.sessions.begin

    async def add(storage: LocalStorage, **given: str) -> list[int]:
        documents = [NewDocument(text=text, external_id=name) for name, text in given.items()]
        async with adding(begin, storage, project_id) as addition:
            return await addition.add(documents)

    local = LocalStorage(workshop.path)
    ids = await add(local, a="old", b="old")
    with pytest.raises(_Killed):
        await add(_Stopped(workshop.path), a="new", b="new")
    (left,) = unsettled(workshop.storage)
    moves, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(LocalStorage):
        def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
            loop.call_soon_threadsafe(moves.set)
            assert goes_on.wait(30)
            super().move_file(source, target)

    monkeypatch.setattr("lexiclass_core.documents.settling._MOVES_FOR_S", 0.0)
    settling = asyncio.create_task(settle(begin, Slow(workshop.path), *left))
    await moves.wait()
    await workshop.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'idle in transaction' "
        "AND pid <> pg_backend_pid()"
    )
    await add(local, b="newest")
    goes_on.set()
    with pytest.raises((DBAPIError, OSError)):
        await settling

    monkeypatch.undo()
    assert await settle(begin, local, *left)
    paths = [workshop.path / f"{project_id}/documents/{number}.txt" for number in ids]
    assert [path.read_text() for path in paths] == ["new", "newest"]
    assert unsettled(workshop.storage) == []


async def test_what_an_addition_writes_while_a_settling_waits_for_it_is_kept(
    workshop: Workshop,
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    begin = workshop.sessions.begin
    async with adding(begin, workshop.storage, project_id) as addition:
        ids = await addition.add(
            [NewDocument(text="old", external_id="a"), NewDocument(text="old", external_id="b")]
        )
    with suppress(_Killed):
        async with adding(begin, _Stopped(workshop.path), project_id) as addition:
            await addition.add([NewDocument(text="new", external_id="a")])
            (left,) = unsettled(workshop.storage)
            settling = asyncio.create_task(settle(begin, workshop.storage, *left))
            await workshop.until_there_is(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_xact_lock%' "
                "AND state = 'idle in transaction' AND datname = current_database()"
            )
            await addition.add([NewDocument(text="new", external_id="b")])

    assert await settling

    paths = [workshop.path / f"{project_id}/documents/{number}.txt" for number in ids]
    assert [path.read_text() for path in paths] == ["new", "new"]
    assert unsettled(workshop.storage) == []


async def test_an_addition_under_way_is_left_alone_and_another_waits_for_it(
    workshop: Workshop,
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    begin, storage = workshop.sessions.begin, workshop.storage
    document = [NewDocument(text="one", external_id="a")]

    async def add() -> int:
        async with adding(begin, storage, project_id) as addition:
            await addition.add(document)
            return addition.counts.added

    async with adding(begin, storage, project_id) as addition:
        await addition.add(document)
        (key,) = unsettled(storage)
        assert not await settle(begin, storage, *key, waits=False)
        other = asyncio.create_task(add())
        await workshop.until_there_is(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_xact_lock%' "
            "AND state = 'idle in transaction' AND datname = current_database()"
        )
        assert not other.done()
    assert await other == 0


async def test_a_document_that_is_deleted_while_it_is_replaced_ends_the_addition(
    workshop: Workshop,
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    begin, storage = workshop.sessions.begin, workshop.storage
    async with adding(begin, storage, project_id) as addition:
        (document_id,) = await addition.add([NewDocument(text="one", external_id="a")])

    loop = asyncio.get_running_loop()

    async def delete() -> None:
        await workshop.execute("DELETE FROM document WHERE id = :id", id=document_id)

    class Deleting(LocalStorage):
        def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
            super().write_texts(texts)
            asyncio.run_coroutine_threadsafe(delete(), loop).result()

    async def replace() -> None:
        async with adding(begin, Deleting(workshop.path), project_id) as addition:
            await addition.add([NewDocument(text="two", external_id="a")])

    with pytest.raises(DocumentNotFound, match="deleted while they were replaced"):
        await replace()
    assert not list((workshop.path / str(project_id)).rglob("incoming/*"))


async def test_documents_can_be_added_while_a_project_is_indexed(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    async with adding(workshop.sessions.begin, workshop.storage, project.project_id) as addition:
        await addition.add([NewDocument(text="one more", external_id="a")])
        assert (await workshop.index(project)).num_documents == 6
    assert (await workshop.index(project)).added == 1


async def test_labels_are_corrected_and_removed(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    document_id = project.document_ids[0]
    where = (project.project_id, project.field_id, document_id)

    async def label(label: Label) -> tuple[bool, tuple[str, bool]]:
        async with workshop.sessions.begin() as session:
            is_new = await set_label(session, *where, label)
        rows = await workshop.rows(ROWS, project=project.project_id)
        return is_new, (rows[0]["label"], rows[0]["is_training_data"])

    kitchen = Label(class_name="kitchen")
    assert await label(kitchen) == (True, ("kitchen", True))
    assert await label(kitchen) == (False, ("kitchen", True))
    assert await label(Label(class_name="new", is_training_data=False)) == (True, ("new", False))
    assert await label(kitchen) == (True, ("kitchen", False))
    async with workshop.sessions.begin() as session:
        assert await remove_label(session, *where)
        assert not await remove_label(session, *where)
        with pytest.raises(InvalidDocument, match="a class is named by 1 to 500"):
            await set_label(session, *where, Label(class_name=""))


async def test_documents_are_found_by_number_and_as_their_source_calls_them(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=1, test=0)
    async with adding(workshop.sessions.begin, workshop.storage, project.project_id) as addition:
        number = str(project.document_ids[0])
        documents = [NewDocument(text=name, external_id=name) for name in ("a", number, "987")]
        a, _, by_name = await addition.add(documents)

    async with workshop.sessions() as session:
        found = await find_documents(session, project.project_id, ["a", number, "987", a])

    # A number that is one of a document is this one, whatever another is called.
    assert found == [a, project.document_ids[0], by_name, a]


async def test_a_document_of_another_project_is_told_from_one_that_is_gone(
    workshop: Workshop,
) -> None:
    project, other = await workshop.project(training=1, test=0), await workshop.project(training=1)
    own, gone, theirs = project.document_ids[0], 2**40, other.document_ids[0]

    async with workshop.sessions() as session:
        find = partial(find_documents, session, project.project_id)
        assert await find([own, str(gone)], may_be_gone=True) == [own, gone]
        for may_be_gone in (True, False):
            with pytest.raises(DocumentNotFound, match=f"{theirs}.*of project {other.project_id}"):
                await find([own, theirs], may_be_gone=may_be_gone)


NO_DOCUMENTS: list[tuple[list[NewDocument], str]] = [
    ([NewDocument(text="x", external_id="a")] * 2, "'a' is given twice"),
    ([NewDocument(text="x\0")], "no place for"),
    ([NewDocument(text="x", metadata={"a": float("nan")})], "no place for"),
    ([NewDocument(text=None)], "neither a text nor an id"),
    ([NewDocument(text="x", external_id="")], "expected 1 to 500"),
    ([NewDocument(text="x", labels={"": Label(class_name="a")})], "a field is named by"),
    ([NewDocument(text="x", labels={"f": Label(class_name="")})], "a class is named by"),
]


async def test_what_cannot_be_a_document_is_refused_and_leaves_nothing(
    workshop: Workshop,
) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    before = files(workshop)

    async def add(documents: list[NewDocument]) -> None:
        async with adding(workshop.sessions.begin, workshop.storage, project_id) as addition:
            await addition.add(documents)

    for documents, says in NO_DOCUMENTS:
        with pytest.raises(InvalidDocument, match=says):
            await add(documents)
    assert files(workshop) == before


async def test_a_row_that_leads_out_of_its_project_is_not_followed(workshop: Workshop) -> None:
    secret = workshop.path / "secret.txt"
    project_id = (await workshop.project(training=1, test=0)).project_id
    secret.write_text("of somebody else")
    async with workshop.sessions.begin() as session:
        await session.execute(
            text(
                "UPDATE document SET external_id = 'a', content_path = '../secret.txt' "
                "WHERE id = (SELECT min(id) FROM document)"
            )
        )

    async with adding(workshop.sessions.begin, workshop.storage, project_id) as addition:
        await addition.add([NewDocument(text="of somebody else", external_id="a")])

    assert addition.counts.changed == 1
    assert secret.read_text() == "of somebody else"
    row = await workshop.row("SELECT id, content_path FROM document WHERE external_id = 'a'")
    assert row["content_path"] == f"{project_id}/documents/{row['id']}.txt"


async def test_what_was_added_is_learned_from(workshop: Workshop, tmp_path: Path) -> None:
    first = await run(workshop, table(tmp_path / "a.csv", records(0, 20)))
    project = SmallProject(first.project_id, first.field_id, {})
    await workshop.train(project)
    report = await run(
        workshop,
        table(tmp_path / "b.csv", [{k: row[k] for k in ("id", "text")} for row in records(20, 24)]),
        first.project_id,
        labelled=False,
    )
    assert (counts(report), report.summary.num_unlabelled) == ((4, 0, 0), 4)

    predicted = await workshop.predict(project)

    assert predicted.predictions_created == 24
    json.dumps(report.summary.as_json())
