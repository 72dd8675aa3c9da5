"""Importing corpora: real files into a real database and storage."""

import json
import os
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lexiclass import InvalidParameters
from lexiclass.corpora import Columns
from lexiclass_core.layout import document_path
from lexiclass_worker.admin.import_report import ImportReport, ImportRequest
from lexiclass_worker.admin.importing import import_corpus
from lexiclass_worker.errors import NoDocuments
from tests.support import documents
from tests.support.corpora import SmallProject, make_text
from tests.support.services import Workshop

DOCUMENTS = """
    SELECT document.id, content_path, metadata, index_status, field_class.name AS label,
        is_training_data
    FROM document LEFT JOIN document_label ON document_label.document_id = document.id
    LEFT JOIN field_class ON field_class.id = document_label.class_id
    ORDER BY document.id
"""


async def run(workshop: Workshop, path: Path, **arguments: Any) -> ImportReport:
    request = ImportRequest(
        **{
            "path": path,
            "project": f"imported {uuid.uuid4()}",
            "columns": Columns(labels={"topic": "label"}),
            "test_fraction": 0.2,
            "max_bytes": 100_000,
            **arguments,
        }
    )
    return await import_corpus(workshop.admin(), request)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def json_lines(path: Path, *records: Any) -> Path:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return write(path, "\n".join(lines) + "\n")


async def labels(workshop: Workshop) -> list[tuple[str, str | None, bool | None]]:
    """Text, label and split of every document, in order."""
    return [
        (
            (workshop.path / row["content_path"]).read_bytes().decode(),
            row["label"],
            row["is_training_data"],
        )
        for row in await workshop.rows(DOCUMENTS)
    ]


def reasons(report: ImportReport) -> dict[str, str]:
    return {refusal.where: refusal.reason for refusal in report.summary.refusals}


async def nothing_is_left(workshop: Workshop) -> bool:
    rows = await workshop.rows(
        "SELECT id FROM project UNION ALL SELECT id FROM document UNION ALL SELECT id FROM field"
    )
    return not rows and not [path for path in workshop.path.rglob("*") if path.is_file()]


# The three forms


async def test_a_folder_per_class(workshop: Workshop, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    write(corpus / "cats" / "a.txt", "a cat")
    write(corpus / "cats" / "deeper" / "b.md", "another cat")
    write(corpus / "dogs" / "a.txt", "a dog")
    write(corpus / "README", "stray")
    write(corpus / ".git" / "config", "hidden")
    write(corpus / "dogs" / ".DS_Store", "hidden")

    report = await run(workshop, corpus, project="imported", test_fraction=0)

    assert await labels(workshop) == [
        ("a cat", "cats", True),
        ("another cat", "cats", True),
        ("a dog", "dogs", True),
    ]
    assert report.classes == Counter(cats=2, dogs=1)
    assert reasons(report) == {"README": "a file beside the class folders"}
    project = await workshop.row("SELECT * FROM project")
    assert (project["id"], project["name"]) == (report.project_id, "imported")
    field = await workshop.row("SELECT * FROM field")
    assert (field["id"], field["name"]) == (report.field_id, "topic")


@pytest.mark.parametrize(("name", "comma"), [("labels.csv", ","), ("labels.tsv", "\t")])
async def test_texts_with_a_table_of_labels(
    workshop: Workshop, tmp_path: Path, name: str, comma: str
) -> None:
    corpus = tmp_path / "corpus"
    for letter in "abcd":
        write(corpus / f"{letter}.txt", f"text {letter}")
    rows = ["ID,Label,Split", "a,x,train", "b.txt,y,TEST", "c,,"]
    write(corpus / name, "\n".join(rows).replace(",", comma))

    report = await run(workshop, corpus)

    assert await labels(workshop) == [
        ("text a", "x", True),
        ("text b", "y", False),
        ("text c", None, None),
        ("text d", None, None),
    ]
    assert (report.num_training, report.num_test, report.summary.num_unlabelled) == (1, 1, 2)


@pytest.mark.parametrize("name", ["c.csv", "C.CSV"])
async def test_one_table(workshop: Workshop, tmp_path: Path, name: str) -> None:
    rows = ["text,label,split", '"a, ""quoted""\nline",x,train', "plain,y,test", "", "bare"]
    corpus = write(tmp_path / name, "\n".join(rows))

    report = await run(workshop, corpus)

    assert await labels(workshop) == [
        ('a, "quoted"\nline', "x", True),
        ("plain", "y", False),
        ("bare", None, None),
    ]
    assert report.summary.num_refused == 0


async def test_json_lines(workshop: Workshop, tmp_path: Path) -> None:
    corpus = json_lines(
        tmp_path / "c.jsonl",
        {"text": "one", "label": "x", "split": "training"},
        "",
        {"text": "two", "label": 3, "split": "testing"},
        {"text": "three", "extra": [1, 2]},
        {"text": "four", "label": None, "split": None},
        {"text": "five", "label": "  "},
    )

    await run(workshop, corpus)

    assert await labels(workshop) == [
        ("one", "x", True),
        ("two", "3", False),
        ("three", None, None),
        ("four", None, None),
        ("five", None, None),
    ]


async def test_rows_say_where_a_document_lies_and_where_it_came_from(
    workshop: Workshop, tmp_path: Path
) -> None:
    report = await run(workshop, json_lines(tmp_path / "c.jsonl", {"text": "a", "label": "x"}))

    row = await workshop.row(DOCUMENTS)
    assert row["content_path"] == str(document_path(report.project_id, row["id"]))
    assert row["metadata"] == {"source": "c.jsonl:1"}
    assert row["index_status"] == "pending"


# Splits


async def test_without_a_split_a_share_of_the_labelled_becomes_test_data(
    workshop: Workshop, tmp_path: Path
) -> None:
    records = [{"text": f"text {number}", "label": "x"} for number in range(400)]
    corpus = json_lines(tmp_path / "c.jsonl", *records)

    first = await run(workshop, corpus, test_fraction=0.25)
    again = await run(workshop, corpus, test_fraction=0.25)

    assert 60 <= first.num_test <= 140
    assert (again.num_test, again.num_training) == (first.num_test, first.num_training)
    everything = await labels(workshop)
    assert everything[:400] == everything[400:]


@pytest.mark.parametrize(("fraction", "num_test"), [(0, 0), (1, 30)])
async def test_a_share_of_nothing_or_all(
    workshop: Workshop, tmp_path: Path, fraction: float, num_test: int
) -> None:
    records = [{"text": f"text {number}", "label": "x"} for number in range(30)]

    report = await run(workshop, json_lines(tmp_path / "c.jsonl", *records), test_fraction=fraction)

    assert report.num_test == num_test


async def test_a_named_split_is_kept_whatever_the_share(workshop: Workshop, tmp_path: Path) -> None:
    records = [
        {"text": f"{split} {number}", "label": "x", "split": split}
        for number in range(10)
        for split in ("train", "test")
    ]

    report = await run(workshop, json_lines(tmp_path / "c.jsonl", *records), test_fraction=1)

    assert (report.num_training, report.num_test) == (10, 10)


# Refusals


async def test_each_refused_record_has_its_reason(workshop: Workshop, tmp_path: Path) -> None:
    corpus = json_lines(
        tmp_path / "c.jsonl",
        {"text": "good", "label": "x"},  # 1
        "{broken",
        "[1, 2]",
        {"label": "x"},
        {"text": 5, "label": "x"},  # 5
        {"text": " \n", "label": "x"},
        {"text": "t", "label": {"x": 1}},
        {"text": "t", "label": ["x", "y"]},
        {"text": "y" * 100_001},
        '{"text": "lone \\ud800", "label": "x"}',  # 10
        '{"text": "t", "label": "lone \\ud800"}',
        {"text": "a\0b", "label": "x"},
        {"text": "t", "label": "a\0b"},
        {"text": "t", "label": "z" * 5000},
        "[" * 100_000,  # 15
    )

    report = await run(workshop, corpus)

    assert report.summary.num_documents == 1
    found = {int(where.rpartition(":")[2]): reason for where, reason in reasons(report).items()}
    expected = {
        2: "no JSON: ",
        3: "no JSON object",
        4: "no 'text' among its keys",
        5: "the text is no string",
        6: "empty",
        7: "the label is neither text nor a number",
        8: "2 labels; a field has one",
        9: "too large",
        10: "lone surrogate",
        11: "lone surrogate",
        12: "NUL",
        13: "NUL",
        14: "the label is longer than",
        15: "no JSON: ",
    }
    assert found.keys() == expected.keys()
    for line, reason in expected.items():
        assert reason in found[line]
    assert report.summary.num_refused == len(expected)


async def test_a_row_with_too_many_columns_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    corpus = write(tmp_path / "c.csv", "text,label\ngood,x\nbad,x,y,z\n")

    report = await run(workshop, corpus)

    assert reasons(report) == {"c.csv:3": "has 4 columns, the first line has 2"}


async def test_a_cell_larger_than_a_document_may_be_costs_one_row(
    workshop: Workshop, tmp_path: Path
) -> None:
    corpus = write(tmp_path / "c.csv", "text,label\n" + "y" * 300_000 + ",x\ngood,x\n")

    report = await run(workshop, corpus)

    assert report.summary.num_refused == 1
    assert [text for text, *_ in await labels(workshop)] == ["good"]


async def test_a_large_cell_that_is_allowed_is_imported(workshop: Workshop, tmp_path: Path) -> None:
    text = "naïve " * 500_000
    corpus = write(tmp_path / "c.csv", f"text,label\n{text},x\n")

    await run(workshop, corpus, max_bytes=10_000_000)

    assert [text for text, *_ in await labels(workshop)] == [text]


@pytest.mark.parametrize(
    "name", ["../secret", "..", "a/b", "/etc/passwd", "", "nowhere", "sub/../a"]
)
async def test_an_id_that_names_no_file_of_the_folder_is_refused(
    workshop: Workshop, tmp_path: Path, name: str
) -> None:
    write(tmp_path / "secret.txt", "secret")
    corpus = tmp_path / "corpus"
    write(corpus / "a.txt", "text a")
    write(corpus / "labels.csv", f"id,label\n{name},x\na,x\n")

    report = await run(workshop, corpus)

    assert [text for text, *_ in await labels(workshop)] == ["text a"]
    assert report.summary.num_refused == 1


async def test_an_id_given_twice_is_refused_the_second_time(
    workshop: Workshop, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    write(corpus / "a.txt", "text a")
    write(corpus / "labels.csv", "id,label\na,x\na.txt,y\n")

    report = await run(workshop, corpus)

    assert reasons(report) == {"labels.csv:3": "the id 'a' was there before"}
    assert [row[1] for row in await labels(workshop)] == ["x"]


async def test_a_link_out_of_the_corpus_is_not_followed(workshop: Workshop, tmp_path: Path) -> None:
    write(tmp_path / "secret" / "s.txt", "secret")
    classes = tmp_path / "classes"
    write(classes / "x" / "a.txt", "text a")
    (classes / "x" / "out.txt").symlink_to(tmp_path / "secret" / "s.txt")
    (classes / "x" / "in.txt").symlink_to(classes / "x" / "a.txt")
    (classes / "y").symlink_to(tmp_path / "secret")
    table = tmp_path / "table"
    write(table / "labels.csv", "id,label\nout,x\n")
    write(table / "a.txt", "text b")
    (table / "out.txt").symlink_to(tmp_path / "secret" / "s.txt")

    for corpus in (classes, table):
        report = await run(workshop, corpus)
        assert "a link that leads out of the corpus" in set(reasons(report).values())

    assert {text for text, *_ in await labels(workshop)} == {"text a", "text b"}


async def test_at_most_a_thousand_refusals_are_kept_and_all_are_counted(
    workshop: Workshop, tmp_path: Path
) -> None:
    corpus = json_lines(tmp_path / "c.jsonl", *["broken"] * 1100, {"text": "good"})

    report = await run(workshop, corpus)

    assert (report.summary.num_refused, len(report.summary.refusals)) == (1100, 1000)


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
async def test_tables_and_texts_in_other_encodings(
    workshop: Workshop, tmp_path: Path, encoding: str
) -> None:
    # Letters that every Western and Central European code page has in the same place.
    text = "Schöne Grüße aus der Straße: für Käufer ist das Übermaß möglich, äußerst höflich."
    table = write(tmp_path / "c.tsv", f"text\tlabel\n{text}\tgrün\n".encode(encoding))
    folder = tmp_path / "folder"
    write(folder / "x" / "a.txt", text.encode(encoding))

    await run(workshop, table, test_fraction=0)
    await run(workshop, folder, test_fraction=0)

    assert await labels(workshop) == [(text, "grün", True), (text, "x", True)]


async def test_a_file_name_that_is_no_unicode_does_no_harm(
    workshop: Workshop, tmp_path: Path
) -> None:
    folder = tmp_path / "corpus" / "x"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("text")

    report = await run(workshop, tmp_path / "corpus")

    assert report.summary.num_documents == 1
    assert (await workshop.row(DOCUMENTS))["metadata"] == {
        "format": "text",
        "source": "x/caf\\udce9.txt",
    }


async def test_a_byte_of_another_encoding_further_down_costs_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    rows = b"text,label\n" + (b"good " * 15_000 + b",x\n") * 20 + b"b\xe9d,x\n" + b"good,x\n" * 20
    corpus = write(tmp_path / "c.csv", rows)

    report = await run(workshop, corpus)

    assert (report.summary.num_documents, report.summary.num_refused) == (41, 0)
    assert "b\u00e9d" in [text for text, *_ in await labels(workshop)]


# What is no corpus


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path / "nowhere", "does not exist"),
        (lambda path: path / "nowhere.csv", "does not exist"),
        (lambda path: write(path / "c.dat", "x"), "expected a folder, or a .csv"),
        (lambda path: write(path / "c", "x"), "no ending"),
        (lambda path: write(path / "d" / "a.txt", "x").parent, "neither a folder per class"),
        (lambda path: write(path / "c.csv", "a,b\n1,2\n"), "no column text and no column label"),
        (lambda path: write(path / "c.csv", "text\n1\n"), "no column label"),
        (lambda path: write(path / "c.csv", ""), "its first line is empty"),
        (lambda path: write(path / "c.csv", b"\1\2\0\3\0"), "binary"),
    ],
)
async def test_what_is_no_corpus_is_refused_and_leaves_nothing(
    workshop: Workshop, tmp_path: Path, make: Any, says: str
) -> None:
    path = make(tmp_path / "corpora")

    with pytest.raises(InvalidParameters, match=says):
        await run(workshop, path)

    assert await nothing_is_left(workshop)


async def test_a_corpus_without_a_usable_record_leaves_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    with pytest.raises(NoDocuments, match="2 records were refused, the first because: no JSON"):
        await run(workshop, json_lines(tmp_path / "c.jsonl", "broken", "[]"))
    table = tmp_path / "c.csv"
    table.write_text("text,label\n")
    with pytest.raises(NoDocuments, match="it is empty, or has a header and nothing below it"):
        await run(workshop, table)

    assert await nothing_is_left(workshop)


@pytest.mark.slow
async def test_a_failure_in_the_middle_leaves_no_row_and_no_file(
    workshop: Workshop, tmp_path: Path
) -> None:
    records = [{"text": f"text {number}", "label": "x"} for number in range(4500)]
    seen: list[int] = []

    def fail_later(done: int) -> None:
        seen.append(done)
        if done > 2000:
            raise RuntimeError("the disk is full")

    request = ImportRequest(
        path=json_lines(tmp_path / "c.jsonl", *records),
        project="x",
        test_fraction=0,
        max_bytes=1000,
    )
    with pytest.raises(RuntimeError, match="disk is full"):
        await import_corpus(workshop.admin(), request, on_progress=fail_later)

    assert seen == [2000, 4000]
    assert await nothing_is_left(workshop)


async def test_an_imported_project_can_be_used(workshop: Workshop, tmp_path: Path) -> None:
    records = [
        {"text": make_text(word, number), "label": word}
        for number in range(12)
        for word in ("animals", "vehicles")
    ]
    report = await run(workshop, json_lines(tmp_path / "c.jsonl", *records))
    project = SmallProject(report.project_id, report.field_id, {})

    assert (await workshop.index(project)).num_documents == 24
    await workshop.train(project)
    assert (await workshop.evaluate(project)).num_test_documents == report.num_test


# Documents in other formats


async def test_documents_of_other_formats_are_text_and_their_metadata_are_kept(
    workshop: Workshop, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    write(corpus / "a" / "1.pdf", documents.pdf("the roses need water", title="Roses"))
    write(corpus / "a" / "2.html", "<script>var x = 0;</script><p>the hedge needs a cut")
    write(corpus / "b" / "51120", b"From: a@b.c\nSubject: caf\xe9\nLines: 1\n\nKnead the dough.\n")
    write(corpus / "b" / "3.docx", documents.word("the soup wants salt"))
    write(corpus / "b" / "4.xlsx", documents.zipped({"xl/workbook.xml": "<workbook/>"}))
    write(corpus / "b" / "Thumbs.db", b"\xd0\xcf\x11\xe0")

    report = await run(workshop, corpus, test_fraction=0)

    assert await labels(workshop) == [
        ("the roses need water", "a", True),
        ("the hedge needs a cut", "a", True),
        ("the soup wants salt", "b", True),
        ("café\n\nKnead the dough.", "b", True),
    ]
    metadata = [row["metadata"] for row in await workshop.rows(DOCUMENTS)]
    assert {name: metadata[0][name] for name in ("source", "format", "title")} == {
        "source": "a/1.pdf", "format": "pdf", "title": "Roses",
    }  # fmt: skip
    assert {name: metadata[3][name] for name in ("source", "format", "subject", "from")} == {
        "source": "b/51120", "format": "email", "subject": "café", "from": "a@b.c",
    }  # fmt: skip
    assert report.summary.formats == Counter(pdf=1, html=1, docx=1, email=1)
    assert report.summary.num_refused == 2
    assert sorted(reasons(report)) == ["b/4.xlsx", "b/Thumbs.db"]
