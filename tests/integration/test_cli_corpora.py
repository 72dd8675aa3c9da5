"""Corpora as people have them, on the command line."""

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.documents import zipped

ROWS = [(f"a note about things {n}", ("farm", "law")[n % 2]) for n in range(20)]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(header: str = "text,label", **changed: str) -> str:
    rows = {n: f"{text},{label}" for n, (text, label) in enumerate(ROWS)}
    rows |= {int(number.removeprefix("row")): row for number, row in changed.items()}
    return "\n".join([header, *rows.values()]) + "\n"


def test_columns_are_named_by_options(cli: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", table("Content,Category"))

    refused = cli("project", "import", path, "--json")
    named = ("--text-column", "content", "--label-column", "category")
    report = cli("project", "import", path, *named, "--json").json
    field = cli("project", "import", path, *named[:2], "--label-column", "topic=Category", "--json")

    assert refused.status == 1
    assert "its first line is Content, Category" in refused.err
    assert "--text-column" in refused.err
    assert report["classes"] == {"farm": 10, "law": 10}
    assert field.json["field_classes"] == {"topic": {"farm": 10, "law": 10}}


@pytest.mark.parametrize(
    "options",
    [
        ("--label-column", "a", "--label-column", "a"),
        ("--field", "x", "--label-column", "a", "--label-column", "b"),
        ("--label-column", "x=a", "--label-column", "y=a"),
        ("--label-column", "=a"),
    ],
)
def test_label_columns_that_contradict_each_other_are_wrong_usage(
    cli: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = write(tmp_path / "c.csv", table("text,a"))
    assert cli("project", "import", path, *options).status == 2


def test_encodings_and_accidents_are_reported(cli: Run, tmp_path: Path) -> None:
    content = table(row3="a note,N/A", row4="the green door,farm|law", row5="no label,")
    content += "die grüne Tür,law\n" * 3
    path = write(tmp_path / "c.csv", content.encode() + b"a caf\xe9 table,law\n")

    report = cli("project", "import", path, "--json").json
    shown = " ".join(cli("project", "import", path, "--name", "again").out.split())

    assert (report["num_documents"], report["num_refused"]) == (24, 0)
    assert report["encodings"] == {"utf-8": 23, "cp1252": 1}
    told = " / ".join(report["warnings"])
    for warning in ("look like none: 'N/A'", "hold | or ;: 'farm|law'", "have no label",
                    "in another encoding than the rest of the file"):  # fmt: skip
        assert warning in told
        assert warning in shown
    assert "utf-8 23, cp1252 1" in shown


def test_reasons_of_refusals_are_summed(cli: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", table(row3='"open,law', row7=",law", row9=",law"))

    report = cli("project", "import", path, "--json").json
    shown = " ".join(cli("project", "import", path, "--name", "again").out.split())

    assert (report["num_documents"], report["num_refused"]) == (17, 3)
    assert report["refusal_reasons"] == {"empty": 2, "opens a quote that is not closed": 1}
    assert report["refusals"][0]["where"] == "c.csv:5"
    assert "2 empty 1 opens a quote that is not closed" in shown


def test_more_refusals_than_allowed_import_nothing(cli: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", table(row3=",law", row7=",law", row9=",law"))

    refused = cli("project", "import", path, "--max-refused", "0.1", "--json")

    assert refused.status == 1
    assert "3 of 20 records were refused" in refused.err
    assert "3 times: empty" in refused.err
    assert cli("project", "list", "--json").json == []


def test_splits_are_folders_columns_or_a_set_apart(cli: Run, tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for label in ("ham", "spam"):
            write(tmp_path / "mail" / split / label / "1.txt", f"a {label} of {split}")
    path = write(tmp_path / "c.csv", table())
    held = write(tmp_path / "held.csv", "text,label\none more,farm\nanother,law\n")

    mail = cli("project", "import", tmp_path / "mail", "--json").json
    apart = cli("project", "import", path, "--test", held, "--json").json
    none = cli("project", "import", path, "--test-fraction", "0", "--name", "x", "--json").json
    splits = ["train"] * 19 + ["holdout"]
    rows = "".join(f"{text},{label},{s}\n" for (text, label), s in zip(ROWS, splits, strict=True))
    unknown = cli("project", "import", write(tmp_path / "u.csv", "text,label,split\n" + rows))

    assert mail["classes"] == {"ham": 3, "spam": 3}
    assert (mail["num_training"], mail["num_test"]) == (4, 2)
    assert (apart["num_training"], apart["num_test"]) == (20, 2)
    assert any("no test documents" in warning for warning in none["warnings"])
    assert unknown.status == 1
    assert "u.csv:21: the split is 'holdout'" in " ".join(unknown.err.split())


def test_a_corpus_without_labels_is_refused_unless_that_is_meant(cli: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"text": "one", "url": "x"}\n{"text": "two", "url": "y"}\n')

    refused = cli("project", "import", path)
    taken = cli("project", "import", path, "--unlabelled", "--json").json

    assert refused.status == 1
    assert "keys found: 'text', 'url'" in " ".join(refused.err.split())
    assert (taken["num_documents"], taken["num_unlabelled"]) == (2, 2)


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
CYCLE = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj
trailer<</Root 1 0 R>>
%%EOF"""
PARTS = (
    b"From: a@b.c\nDate: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000
)
MARKS = "e" + "\u0301\u0323" * 300_000


def word_document(prolog: str, text: str) -> bytes:
    body = f'<w:document xmlns:w="{WORD}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:document>'
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": prolog + body})


@pytest.mark.slow
def test_hostile_documents_cost_themselves(cli: Run, tmp_path: Path) -> None:
    inner = zipped({"x.txt": "0" * 2**20})
    for _ in range(4):
        inner = zipped({f"{n}.zip": inner for n in range(4)})
    hostile: dict[str, tuple[str | bytes, str]] = {
        "bomb.docx": (word_document("", "x" * 270 * 2**20), "too large when unpacked"),
        "entities.docx": (
            word_document(f'<!DOCTYPE d [<!ENTITY e0 "x">{ENTITIES}]>', "&e8;"),
            "declares entities",
        ),
        "outside.docx": (
            word_document('<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"),
            "declares entities",
        ),
        "bomb.txt.gz": (gzip.compress(bytes(200 * 2**20)), "too large when unpacked"),
        "nested.zip": (inner, "zip archive"),
        "cycle.pdf": (CYCLE, "PDF: damaged"),
        "parts.eml": (PARTS, "more than 1000 parts"),
        "zeros.txt": (bytes(2**20), "binary"),
    }
    for name, (content, _) in hostile.items():
        write(tmp_path / "c" / "a" / name, content)
    folder = tmp_path / "c" / "a"
    os.mkfifo(folder / "pipe.txt")
    for name, target in (("zero", "/dev/zero"), ("passwd", "/etc/passwd"), ("self", "self")):
        (folder / name).symlink_to(target)
    (folder / "around").symlink_to("..")
    write(folder / "marks.txt", MARKS)
    write(folder / "token.txt", "t" * 2**20)
    write(tmp_path / "c" / "b" / "good.txt", "a good text")

    report = cli(
        "project", "import", tmp_path / "c", "--name", "h", "--max-refused", 1, "--json"
    ).json

    found = {each["where"]: each["reason"] for each in report["refusals"]}
    assert report["classes"] == {"a": 2, "b": 1}
    for name, (_, reason) in hostile.items():
        assert reason in found.pop(f"a/{name}")
    assert found.pop("a/pipe.txt") == "no file but a pipe or a device"
    assert found.keys() == {"a/zero", "a/passwd", "a/self", "a/around"}


@pytest.mark.slow
def test_hostile_records_cost_themselves(cli: Run, tmp_path: Path) -> None:
    good = '{"text": "a good text", "label": "a"}'
    hostile = {
        '{"text": "x", "label": ' + "[" * 3000 + "]" * 3000 + "}": "nested too deeply",
        '{"text": "x", "label": ' + "9" * 5000 + "}": "too many digits",
        json.dumps({"text": "x", "label": MARKS}, ensure_ascii=False): "longer than 500",
        json.dumps({"text": "x" * 70 * 2**20, "label": "a"}): "too large",
        '{"text": "x", "text": "y", "label": "a"}': "is there twice",
    }
    lines = [good, *hostile, json.dumps({MARKS: 1, "text": "one", "label": "a"}), good]

    for name, content in {
        "lines.jsonl": "\n".join(lines),
        "array.json": "[" + ",\n".join(lines) + "]",
    }.items():
        path = write(tmp_path / name, content)
        report = cli("project", "import", path, "--name", "h", "--max-refused", 1, "--json").json

        assert report["num_documents"] == 3
        reasons = [each["reason"] for each in report["refusals"]]
        assert len(reasons) == len(hostile)
        for reason, expected in zip(reasons, hostile.values(), strict=True):
            assert expected in reason
