from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus, split_of
from tests.support.records import Record, labelled_texts


def texts(records: Iterable[Record]) -> list[str]:
    return [record.text for record in records if isinstance(record, LabelledText)]


def reasons(records: Iterable[Record]) -> dict[str, str]:
    return {record.where: record.reason for record in records if isinstance(record, Refusal)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", 'id,Text,label,split\n7,"one, two",a,train\n8,three,b,TEST\n9,four,,\n'),
        ("c.tsv", "id\ttext\tlabel\tsplit\n7\tone, two\ta\ttraining\n8\tthree\tb\ttest\n9\tfour\n"),
        (
            "c.jsonl",
            """{"id": 7, "text": "one, two", "label": "a", "split": "train"}

            {"id": 8, "text": "three", "label": "b", "split": "test"}
            {"id": 9, "text": "four"}""",
        ),
    ],
)
def test_a_file_gives_texts_labels_splits_and_ids(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    records = labelled_texts(read_corpus(path))
    assert [(r.text, r.label, r.split, r.id) for r in records] == [
        ("one, two", "a", "train", "7"),
        ("three", "b", "test", "8"),
        ("four", None, None, "9"),
    ]
    assert records[0].where.startswith(f"{name}:")


def test_a_folder_per_class_gives_labels(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text(f"text of {label}")
    (tmp_path / "readme.txt").write_text("x")
    records = list(read_corpus(tmp_path))
    found = [(r.text, r.label, r.split, r.where, r.id) for r in labelled_texts(records[:2])]
    assert found == [
        ("text of a", "a", None, "a/1.txt", "a/1.txt"),
        ("text of b", "b", None, "b/1.txt", "b/1.txt"),
    ]
    assert reasons(records) == {"readme.txt": "a file beside the class folders"}


def test_a_table_of_labels_says_what_the_texts_beside_it_are(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.txt").write_text(f"text {number}")
    table = "id,label,split\n1,a,test\n2.txt,b\n9,a\n../1,a\n1,b\n"
    (tmp_path / "labels.csv").write_text(table)
    records = list(read_corpus(tmp_path))
    accepted = [r for r in records if isinstance(r, LabelledText)]
    assert [(r.text, r.label, r.split, r.id) for r in accepted] == [
        ("text 1", "a", "test", "1"),
        ("text 2", "b", None, "2"),
        ("text 3", None, None, "3"),
    ]
    assert reasons(records) == {
        "labels.csv:4": "missing",
        "labels.csv:5": "the id '../1' names no file of the folder",
        "labels.csv:6": "the id '1' was there before",
    }


@pytest.mark.parametrize("labelled", [True, False])
def test_labels_may_be_missing_only_where_none_are_needed(tmp_path: Path, labelled: bool) -> None:
    table, folder = tmp_path / "c.csv", tmp_path / "folder"
    table.write_text("text\none\n")
    folder.mkdir()
    (folder / "one.txt").write_text("one")
    for path in (table, folder):
        if labelled:
            with pytest.raises(InvalidParameters, match=r"no column label|neither a folder per"):
                list(read_corpus(path))
        else:
            assert texts(read_corpus(path, labelled=False)) == ["one"]


def test_one_bad_record_costs_one_record(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [
        '{"text": "good", "label": "a"}',
        "{",
        "[1]",
        '{"label": "a"}',
        '{"text": 1, "label": "a"}',
        '{"text": "   ", "label": "a"}',
        json.dumps({"text": "\ud800", "label": "a"}),
        json.dumps({"text": "x" * 101, "label": "a"}),
        '{"text": "x", "label": {}}',
        '{"text": "x", "label": ["a", "b"]}',
        '{"text": "also good", "label": 3}',
    ]
    path.write_text("\n".join(lines))
    records = list(read_corpus(path, max_bytes=100))
    assert texts(records) == ["good", "also good"]
    (last,) = labelled_texts(records[-1:])
    assert last.label == "3"
    found = reasons(records)
    assert [int(where.split(":")[1]) for where in found] == list(range(2, 11))
    assert found["c.jsonl:8"] == "too large"
    assert found["c.jsonl:10"] == "2 labels; a field has one"


def test_a_row_with_too_many_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("text,label\none,a\ntwo, three,b\n")
    records = list(read_corpus(path))
    assert texts(records) == ["one"]
    assert reasons(records) == {"c.csv:3": "has 3 columns, the first line has 2"}


@pytest.mark.slow_variants
@pytest.mark.parametrize("rows", [20, 50_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_tables_come_in_any_encoding(tmp_path: Path, encoding: str, rows: int) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(("text,label\n" + "Übergrößen für Käufer,ä\n" * rows).encode(encoding))
    records = labelled_texts(read_corpus(path))
    assert {(r.text, r.label) for r in records} == {("Übergrößen für Käufer", "ä")}


def test_what_is_no_corpus_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "c.pdf").write_text("x")
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    for name, expected in {
        "c.pdf": r"expected a folder, or a .csv, .tsv.* file, found .pdf",
        "c.csv": r"no column text and no column label: its first line is a, b",
        "empty": r"neither a folder per class nor labels.csv",
        "absent.csv": r"absent.csv does not exist",
    }.items():
        with pytest.raises(InvalidParameters, match=expected):
            list(read_corpus(tmp_path / name))


def test_an_undecided_split_goes_by_the_text_alone() -> None:
    undecided = [LabelledText(f"text {n}", {"label": "a"}, None, str(n)) for n in range(400)]
    splits = [split_of(text, 0.25) for text in undecided]
    assert splits == [split_of(text, 0.25) for text in undecided]
    assert 70 < splits.count("test") < 130
    assert {split_of(text, 0.0) for text in undecided} == {"train"}
    decided = LabelledText("text 1", {"label": "a"}, "train", "x")
    assert split_of(decided, 1.0) == "train"
