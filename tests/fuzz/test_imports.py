"""Files before the importer, in every format it reads, and folders and archives of them."""

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from lexiclass import LabelledText, LexiClassError, Refusal, read_corpus
from lexiclass.corpora import Columns
from lexiclass.extraction import DOCUMENT_FORMATS
from tests.support.changed_values import JUNK, TEXTS, changed_bytes, changed_value
from tests.support.documents import mail, open_document, pdf, word
from tests.support.fuzzing import in_child

ROWS = [
    {"text": f"text {number} of a {label}", "label": label, "split": "train", "id": f"d{number}"}
    for number, label in enumerate(["animal", "vehicle"] * 4)
]
# Exports of annotation tools, whose nesting is what a reader of them goes down.
EXPORTS: list[Any] = [
    [{"id": 1, "data": {"text": "a text"}, "annotations": [
        {"result": [{"from_name": "topic", "to_name": "text", "type": "choices",
                     "value": {"choices": ["animal"]}}]}]}],
    [{"text": "a text", "_input_hash": 1, "_task_hash": 2, "accept": ["animal"],
      "answer": "accept", "options": [{"id": "animal", "text": "Animal"}]}],
    [{"id": 1, "text": "a text", "label": ["animal"], "Comments": []}],
    {"data": ROWS}, ROWS, {"text": "a", "label": {"a": 1}},
]  # fmt: skip
PAGE = "<html><head><title>t</title></head><body><p>a <b>text</b></p><table><tr><td>x</table>"
MAIL = mail("a subject", "a text\n", page=PAGE, attachment="x.png")


# Beside the folder, for names that lead there.
SECRET = "what nobody may read"


def table(delimiter: str) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, ROWS[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return file.getvalue().encode()


def workbook() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in [[*ROWS[0]], *(list(row.values()) for row in ROWS)]:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def lines() -> bytes:
    return "\n".join(map(json.dumps, ROWS)).encode()


FOLDER = {f"{row['label']}/{row['id']}.txt": row["text"].encode() for row in ROWS}
FILES: dict[str, bytes] = {
    "corpus.csv": table(","),
    "corpus.tsv": table("\t"),
    "corpus.jsonl": lines(),
    "corpus.json": json.dumps(ROWS).encode(),
    "corpus.xlsx": workbook(),
    "corpus.parquet": parquet(),
    "corpus.zip": zipped(FOLDER),
    "corpus.tar": tarred(FOLDER),
    "corpus.csv.gz": gzip.compress(table(","), mtime=0),
    "corpus.tgz": gzip.compress(tarred(FOLDER), mtime=0),
    "corpus.mbox": b"From ada@example.invalid Sat Nov 28 05:00:00 2026\n" + MAIL + b"\n",
}
DOCUMENTS: dict[str, bytes] = {
    "a.pdf": pdf("a page", "another", title="t"),
    "a.docx": word("a paragraph", table=[["a", "b"]], title="t"),
    "a.odt": open_document("<text:p>a <text:span>text</text:span></text:p>", title="t"),
    "a.rtf": rb"{\rtf1\ansi{\fonttbl\f0 Arial;}\f0 a \b text\b0\par \u8364? \'e4}",
    "a.html": PAGE.encode(),
    "a.md": b"# A title\n\nA *text* with [a link](http://x)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "a.eml": MAIL,
    "a.txt": "a text with ümlauts and 漢字".encode(),
}
assert {ending for each in DOCUMENT_FORMATS if each.extractor for ending in each.endings[:1]} <= {
    Path(name).suffix for name in DOCUMENTS
}


@st.composite
def repacked(draw: st.DrawFn, data: bytes) -> bytes:
    """A zip file whose members are changed before they are packed again, or renamed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(members)))
        if draw(st.integers(0, 4)):
            members[name] = draw(changed_bytes(members[name]))
        else:
            members[draw(TEXTS).replace("\ud800", "?") or "x"] = members.pop(name)
    try:
        return zipped(members)
    except (ValueError, UnicodeError, OSError):
        return data


@st.composite
def corpora(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of a corpus, by its name and content."""
    name = draw(st.sampled_from(sorted(FILES)))
    data = FILES[name]
    match name:
        case "corpus.json" if draw(st.booleans()):
            export = draw(st.sampled_from(EXPORTS))
            return name, json.dumps(draw(changed_value(export))).encode()
        case "corpus.jsonl" if draw(st.booleans()):
            rows = draw(st.lists(changed_value(ROWS[0]) | JUNK, min_size=1, max_size=6))
            return name, "\n".join(map(json.dumps, rows)).encode()
        case "corpus.xlsx" | "corpus.zip" if draw(st.booleans()):
            return name, draw(repacked(data))
        case "corpus.csv.gz" | "corpus.tgz" if draw(st.booleans()):
            return name, gzip.compress(draw(changed_bytes(gzip.decompress(data))), mtime=0)
    return name, draw(changed_bytes(data))


def read(path: Path, **options: Any) -> None:
    """Read what is there; whatever is wrong is refused in words."""
    records: Iterator[LabelledText | Refusal] = iter(())
    try:
        records = read_corpus(path, **options)
        for count, record in enumerate(records):
            assert count < 100_000, "more records than bytes"
            if isinstance(record, Refusal):
                assert record.reason
                continue
            assert isinstance(record.text, str)
            assert SECRET not in record.text
            record.text.encode()
            json.dumps(record.metadata, allow_nan=False)
            for label in record.labels.values():
                assert label is None or label.strip() == label != ""
    except LexiClassError as refusal:
        said = refusal.message
    else:
        return
    assert said
    assert len(said) < 20_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "corpus").mkdir()
    return tmp_path / "corpus"


@pytest.mark.timeout(0)
def test_a_corpus_is_read_or_refused(fuzz: Callable[..., None], place: Path) -> None:
    def examine(example: tuple[str, bytes]) -> None:
        name, content = example
        file = place / name
        file.write_bytes(content)
        try:
            in_child(lambda: read(file, labelled=False))
            in_child(lambda: read(file, columns=Columns(labels={"topic": "label"})))
        finally:
            file.unlink()

    fuzz(examine, corpora())


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_documents_in_folders_are_read_or_refused(fuzz: Callable[..., None], place: Path) -> None:
    @st.composite
    def documents(draw: st.DrawFn) -> tuple[str, bytes]:
        name = draw(st.sampled_from(sorted(DOCUMENTS)))
        data = DOCUMENTS[name]
        if name in {"a.docx", "a.odt"} and draw(st.booleans()):
            data = draw(repacked(data))
        elif draw(st.integers(0, 9)):
            data = draw(changed_bytes(data))
        # Under another's name, sometimes.
        return draw(st.sampled_from([name] * 5 + sorted(DOCUMENTS))), data

    def examine(batch: list[tuple[str, bytes]]) -> None:
        for label in ("animal", "vehicle"):
            (place / label).mkdir(exist_ok=True)
            (place / label / "good.txt").write_text("a good text")
        written = []
        for number, (name, content) in enumerate(batch):
            file = place / "animal" / f"{number}{name}"
            file.write_bytes(content)
            written.append(file)
        try:
            in_child(lambda: read(place))
        finally:
            for file in written:
                file.unlink()

    fuzz(examine, st.lists(documents(), min_size=1, max_size=4))
