"""``documents ...`` on the command line, in this process."""

import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.support.commands import Run
from tests.support.corpora import SmallProject, create_project
from tests.support.database import Database


@pytest.fixture
def project(database: Database, storage_path: Path) -> SmallProject:
    """Six documents, two of each class, of which one is test data."""

    async def create(session: AsyncSession) -> SmallProject:
        return await create_project(session, storage_path, training=1, test=1)

    project = database.run(create)
    for number, document_id in enumerate(project.document_ids):
        database.execute(
            "UPDATE document SET metadata = CAST(:metadata AS jsonb), external_id = :name "
            "WHERE id = :id",
            metadata=json.dumps({"source": f"mail_{number}.csv:2", "id": f"doc-{number}"}),
            name=f"doc-{number}",
            id=document_id,
        )
    return project


def numbers(rows: list[dict[str, object]]) -> list[object]:
    return [row["document_id"] for row in rows]


def test_documents_are_listed_with_source_labels_and_beginning(
    cli: Run, project: SmallProject, storage_path: Path
) -> None:
    text = storage_path / str(project.project_id) / "documents" / f"{project.document_ids[0]}.txt"
    text.write_text("Once  upon\na time\t" + "there was a cat " * 1000)

    listed = cli("documents", "list", "small", "--json").json

    assert numbers(listed) == project.document_ids
    assert listed[0] == {
        "document_id": project.document_ids[0],
        "id": "doc-0",
        "source": "mail_0.csv:2",
        "index_status": "pending",
        "labels": [{"field": "topic", "class_name": "animals", "is_training_data": True}],
        "excerpt": listed[0]["excerpt"],
    }
    assert listed[0]["excerpt"].startswith("Once upon a time there was a cat")
    assert len(listed[0]["excerpt"]) <= 120
    table = cli("documents", "list", "small")
    assert table.status == 0
    assert "Once upon a time" in table.out


def test_documents_are_listed_in_pages_and_by_what_is_said_of_them(
    cli: Run, project: SmallProject, database: Database
) -> None:
    first, second, third, *_, last = project.document_ids
    database.execute("DELETE FROM document_label WHERE document_id = :id", id=third)
    database.execute("UPDATE document SET index_status = 'indexed' WHERE id = :id", id=second)

    def listed(*arguments: object) -> list[object]:
        return numbers(cli("documents", "list", "small", *arguments, "--json").json)

    assert listed("--limit", 2) == [first, second]
    assert listed("--limit", 2, "--after", second) == project.document_ids[2:4]
    assert f"--after {second}" in cli("documents", "list", "small", "--limit", 2).out
    assert listed("--after", last) == []
    assert listed("--index-status", "indexed") == [second]
    assert listed("--unlabelled") == listed("--unlabelled", "--field", "topic") == [third]
    assert third not in listed("--labelled")
    assert listed("--field", "topic", "--class", "vehicles") == [second, project.document_ids[4]]
    assert listed("--source", "MAIL_1.") == listed("--source", "oc-1") == [second]
    # What is a pattern elsewhere is text here.
    assert listed("--source", "mail%1") == listed("--source", "mail.1") == []


def test_a_document_is_shown_by_its_number_or_by_its_id_in_the_source(
    cli: Run, project: SmallProject, database: Database
) -> None:
    first = project.document_ids[0]
    database.execute(
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence) "
        "VALUES (:d, :f, :c, 3, 0.75)",
        d=first,
        f=project.field_id,
        c=project.class_ids["kitchen"],
    )

    shown = cli("documents", "show", "small", "doc-0", "--json").json

    assert cli("documents", "show", project.project_id, first, "--json").json == shown
    assert shown["metadata"] == {"source": "mail_0.csv:2", "id": "doc-0"}
    (label,), (prediction,) = shown["labels"], shown["predictions"]
    assert (label["field"], label["class_name"]) == ("topic", "animals")
    assert (prediction["class_name"], prediction["confidence"]) == ("kitchen", 0.75)
    assert (prediction["field"], prediction["model_version"]) == ("topic", 3)
    printed = cli("documents", "show", "small", "doc-0").out
    for part in ("mail_0.csv:2", "animals (training)", "kitchen, 0.750 (version 3"):
        assert part in printed


def test_the_beginning_of_a_text_is_shown_or_all_of_it(
    cli: Run, project: SmallProject, storage_path: Path
) -> None:
    first = project.document_ids[0]
    path = storage_path / str(project.project_id) / "documents" / f"{first}.txt"
    path.write_text("[bold]so\x1b[31m\n" + "y" * 2000 + "end")

    beginning = cli("documents", "show", "small", first)
    whole = cli("documents", "show", "small", first, "--full")

    assert "yyy" in beginning.out
    assert "yend" not in beginning.out
    assert "2,017 characters in all: --full" in beginning.out
    assert "[bold]so\\x1b[31m\n" in whole.out
    assert "\x1b" not in whole.out
    assert "yend" in whole.out
    assert len(cli("documents", "show", "small", first, "--full", "--json").json["text"]) == 2017

    path.unlink()
    gone = cli("documents", "show", "small", first)
    assert gone.status == 0
    assert "its text cannot be read" in gone.out
    assert cli("documents", "list", "small", "--json").json[0]["excerpt"] is None


@pytest.mark.slow
def test_a_document_of_another_project_is_not_shown(
    cli: Run, project: SmallProject, database: Database
) -> None:
    other = database.value("INSERT INTO project (name) VALUES ('other') RETURNING id")
    database.execute(
        "UPDATE document SET content_path = :path WHERE id = :id",
        path=f"{other}/documents/1.txt",
        id=project.document_ids[1],
    )

    for name in (project.document_ids[0], "doc-0", "a\udcff", 2**64, "doc"):
        outcome = cli("documents", "show", "other", name)
        assert (outcome.status, outcome.out) == (1, "")
        assert "has no document" in outcome.err
    assert cli("documents", "list", "other", "--json").json == []
    # A row that leads out of its project shows no text.
    shown = cli("documents", "show", "small", project.document_ids[1], "--json").json
    assert shown["text"] is None


def test_what_is_not_there_is_said(cli: Run, project: SmallProject) -> None:
    for arguments, status, says in (
        (("list", "nope"), 1, "no project is named 'nope'"),
        (("list", 4711), 1, "project 4711 does not exist"),
        (("list", "small", "--field", "topics"), 1, "did you mean 'topic'?"),
        (("list", "small", "--field", "topic", "--class", "cats"), 1, "is named 'cats': there are"),
        (("list", "small", "--class", "animals"), 2, "--class needs the --field"),
        (("list", "small", "--limit", 0), 2, "limit"),
    ):
        outcome = cli("documents", *arguments)
        assert (outcome.status, outcome.out) == (status, ""), arguments
        assert says in outcome.err, arguments
