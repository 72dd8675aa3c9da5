"""Tables that are no text: workbooks and Parquet; and corpora that are compressed."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora import Columns
from lexiclass.corpora.records import REPLACED_BYTES
from tests.support.documents import mail, pdf, zipped
from tests.support.records import Record, labelled_texts

TABLE = "text,label\nabout the court,law\nabout the barn,farm\n"
EXPECTED = [("about the court", "law"), ("about the barn", "farm")]


def tarred(members: dict[str, Any], **kinds: Any) -> bytes:
    """A tar archive; of a kind other than a file a member's content is what a link leads to."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.type = kinds.get(name, tarfile.REGTYPE)
            data = content if isinstance(content, bytes) else content.encode()
            if member.isreg():
                member.size = len(data)
            else:
                member.linkname = data.decode()
            archive.addfile(member, io.BytesIO(data) if member.isreg() else None)
    return file.getvalue()


_ARCHIVES = [
    tarred({"a/1.txt": "one", "b/2.txt": "two"}),
    tarred({"c.csv": TABLE}),
    zipped({"c.csv": TABLE}),
    zipped({"a/1.txt": "one", "b/2.txt": "two"}),
    gzip.compress(TABLE.encode(), mtime=0),
]

ROWS = [{"text": text, "label": label} for text, label in EXPECTED]


def labelled(records: Iterable[Record]) -> list[tuple[str, str | None]]:
    return [(record.text, record.label) for record in records if isinstance(record, LabelledText)]


def reasons(records: Iterable[Record]) -> dict[str, str]:
    return {record.where: record.reason for record in records if isinstance(record, Refusal)}


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InvalidParameters) as caught:
        list(read_corpus(path, **options))
    return caught.value.message


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def workbook(**sheets: Any) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet(rows: Sequence[dict[str, Any]], metadata: dict[str, str] | None = None) -> bytes:
    table = pa.Table.from_pylist(rows)
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), file)
    return file.getvalue()


def test_a_workbook_gives_the_rows_of_every_sheet_that_has_the_columns(tmp_path: Path) -> None:
    data = workbook(
        notes=[["What this is", None], ["a table"]],
        a=[["Label ", "id", "Text"], ["law", 7, "one"], [None, None, None], [1, 8.0, "two"]],
        b=[["text", "label"], [3.5, "x"], [dt.date(2026, 11, 28), None]],
    )

    records = list(read_corpus(write(tmp_path / "c.xlsx", data)))

    assert labelled(records) == [("one", "law"), ("two", "1"), ("3.5", "x"), ("2026-11-28", None)]
    accepted = [record for record in records if isinstance(record, LabelledText)]
    assert [record.where for record in accepted[:2]] == ["c.xlsx:a:2", "c.xlsx:a:4"]
    assert [record.id for record in accepted] == ["7", "8", None, None]
    (reason,) = reasons(records).values()
    assert "c.xlsx:notes has no column text and no column label" in reason


def test_a_workbook_may_be_an_open_document(tmp_path: Path) -> None:
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    names = " ".join(f'xmlns:{name}="{office}{name}:1.0"' for name in ("office", "table", "text"))
    rows = "".join(
        "<table:table-row>"
        + "".join(
            '<table:table-cell office:value-type="string">'
            f"<text:p>{cell}</text:p></table:table-cell>"
            for cell in row
        )
        + "</table:table-row>"
        for row in [("text", "label"), *EXPECTED]
    )
    content = (
        f"<office:document-content {names}><office:body><office:spreadsheet>"
        f'<table:table table:name="a">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    data = zipped({"mimetype": kind, "META-INF/manifest.xml": "<x/>", "content.xml": content})

    assert labelled(read_corpus(write(tmp_path / "c.ods", data))) == EXPECTED


def test_a_workbook_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.xlsx", workbook(a=[["Body", "Topic"], ["one", "x"]]))

    assert "has no column text and no column label: its first line is Body, Topic" in refusal(path)
    columns = Columns(text="body", labels={"label": "topic"})
    assert labelled(read_corpus(path, columns=columns)) == [("one", "x")]


@pytest.mark.parametrize("name", ["c.xlsx", "c.xls", "c.parquet"])
def test_a_damaged_table_is_refused(tmp_path: Path, name: str) -> None:
    whole = workbook(a=[["text"]]) if name == "c.xlsx" else parquet([{"text": "one"}])
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" if name == "c.xls" else whole[:-30]

    assert refusal(write(tmp_path / name, data)) == f"{name}: damaged; save it anew as .csv"


def test_parquet_gives_its_rows(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 7, "text": "one", "label": "law", "vector": [0.5, 1.5]},
        {"id": 8, "text": None, "label": "law", "vector": None},
        {"id": 9, "text": "two", "label": None, "vector": None},
    ]

    records = list(read_corpus(write(tmp_path / "c.parquet", parquet(rows))))

    assert labelled(records) == [("one", "law"), ("two", None)]
    assert [record.where for record in records] == ["c.parquet:1", "c.parquet:2", "c.parquet:3"]
    assert reasons(records) == {"c.parquet:2": "no text"}


def test_numbers_of_classes_get_the_names_that_a_data_set_of_hugging_face_gives_them(
    tmp_path: Path,
) -> None:
    features = {"label": {"names": ["World", "Sports"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    rows = [
        {"text": "one", "label": 1},
        {"text": "two", "label": 0},
        {"text": "three", "label": -1},
    ]

    records = read_corpus(write(tmp_path / "c.parquet", parquet(rows, metadata)))

    assert labelled(records) == [("one", "Sports"), ("two", "World"), ("three", None)]


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("c.csv.gz", gzip.compress(TABLE.encode(), mtime=0)),
        ("c.csv", gzip.compress(TABLE.encode(), mtime=0)),
        ("c.zip", zipped({"c.csv": TABLE, "__MACOSX/._c.csv": b"\0", ".DS_Store": b"\0"})),
        ("c.ZIP", zipped({"folder/c.csv": TABLE})),
        ("c.zip", zipped({"law/1.txt": "about the court", "farm/2.txt": "about the barn"})),
        ("c.zip", zipped({"c/law/1.pdf": pdf(EXPECTED[0][0]), "c/farm/2.txt": "about the barn"})),
        (
            "c.zip",
            zipped({
                "1.txt": "about the court", "2.txt": "about the barn",
                "labels.csv": "id,label\n1,law\n2,farm\n",
            }),
        ),
        ("c.zip", zipped({"law\\1.txt": "about the court", "farm\\2.txt": "about the barn"})),
        ("renamed.csv", workbook(a=[["text", "label"], *EXPECTED])),
        ("c.tar", tarred({"c.csv": TABLE, "._c.csv": b"\0"})),
        ("c.tar.gz", gzip.compress(tarred({"c/law/1.txt": EXPECTED[0][0],
                                           "c/farm/2.pdf": pdf(EXPECTED[1][0])}))),
        ("c.tgz", gzip.compress(tarred({"./law/1.txt": EXPECTED[0][0],
                                        "./farm/2.txt": EXPECTED[1][0]}))),
        ("c.zip", zipped({"c/data/law/1.txt": "about the court",
                          "c/data/farm/2.txt": "about the barn"})),
        ("c.bin", tarred({"c.parquet": parquet(ROWS)})),
        ("c.xlsx.gz", gzip.compress(workbook(a=[["text", "label"], *EXPECTED]), mtime=0)),
        ("c.zip", zipped({"c.parquet": parquet(ROWS)})),
    ],
)  # fmt: skip
def test_what_is_compressed_is_read_as_what_is_inside(
    tmp_path: Path, name: str, data: bytes
) -> None:
    records = list(read_corpus(write(tmp_path / name, data)))

    assert sorted(labelled(records)) == sorted(EXPECTED)
    assert not reasons(records)


def test_nothing_is_written_outside_and_no_link_is_followed(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/1.txt", "one")
        archive.writestr("../../escaped.txt", "x")
        archive.writestr("/tmp/escaped.txt", "x")
        archive.writestr("a\\..\\..\\escaped.txt", "x")
        archive.writestr("a/1.txt/2.txt", "x")
        archive.writestr(f"a/{'n' * 300}.txt", "x")
        link = zipfile.ZipInfo("a/link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")

    records = list(read_corpus(write(tmp_path / "c.zip", file.getvalue())))

    assert labelled(records) == [("one", "a")]
    found = reasons(records)
    assert found["c.zip:../../escaped.txt"] == "its path leads out of the archive"
    assert found["c.zip:/tmp/escaped.txt"] == "its path leads out of the archive"
    assert found["c.zip:a\\..\\..\\escaped.txt"] == "its path leads out of the archive"
    assert found["c.zip:a/1.txt/2.txt"] == "there is another file of that name in the archive"
    assert found[f"c.zip:a/{'n' * 300}.txt"] == "its name is too long"
    assert found["c.zip:a/link.txt"] == "a link"
    assert [path.name for path in tmp_path.iterdir()] == ["c.zip"]


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.corpora.archives._SMALL_BYTES", 2**16)
    bomb = b"text,label\n" + b"x,a\n" * 2**21

    for name, data in {
        "c.csv.gz": gzip.compress(bomb, mtime=0),
        "c.zip": zipped({"c.csv": bomb}),
        "d.zip": zipped({"a/1.txt": b"x" * 2**22, "b/1.txt": b"x" * 2**22}),
    }.items():
        assert "200 times its size; unpack it first" in refusal(write(tmp_path / name, data))


def test_an_archive_inside_another_is_refused(tmp_path: Path) -> None:
    inner = gzip.compress(TABLE.encode(), mtime=0)

    for name, data in {
        "c.csv.gz": gzip.compress(inner),
        "c.tar": tarred({"c.zip": zipped({"c.csv": TABLE})}),
        "d.zip": zipped({"c.tar": tarred({"c.csv": TABLE})}),
        "c.zip": zipped({"c.csv.gz": inner}),
    }.items():
        assert "an archive inside another; unpack it first" in refusal(write(tmp_path / name, data))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(TABLE.encode() * 100)
    archive = bytearray(zipped({"c.csv": TABLE * 100}))
    archive[50] ^= 0xFF

    for name, data in {
        "c.csv.gz": packed[:-20],
        "c.zip": bytes(archive),
        "d.zip": b"PK\3\4",
        "c.tar": tarred({"a/1.txt": TABLE * 100})[:2000],
        "c.tgz": gzip.compress(tarred({"a/1.txt": TABLE * 100}))[:-20],
        "d.tar": b"no tar",
        "e.tar": tarred({"a/1.txt": "one"}).replace(b"a/1.txt", b"a/2.txt", 1),
        "f.tar": tarred({"a/1.txt": "one", "b/2.txt": "x"}).replace(b"b/2.txt", b"b/3.txt", 1),
    }.items():
        assert "the archive is damaged" in refusal(write(tmp_path / name, data))


def test_errors_name_the_archive_and_its_member(tmp_path: Path) -> None:
    flat = write(tmp_path / "c.zip", zipped({"a.csv": TABLE, "b.csv": TABLE}))
    splits = write(tmp_path / "d.zip", zipped({"c/train/1.txt": "one", "c/test/2.txt": "two"}))
    damaged = zipped({"c.csv": TABLE, "a/1.txt": "one"}).replace(b"a/1.txt", b"a/2.txt", 1)

    assert refusal(flat).startswith("c.zip holds neither a folder per class")
    twice = write(tmp_path / "f.zip", zipped({"1.txt": "", "labels.csv": "", "labels.tsv": ""}))
    assert refusal(twice).startswith("f.zip holds labels.tsv and labels.csv")
    assert refusal(splits).startswith("d.zip/c: 'test', 'train' are folders of splits")
    assert "e.zip:a/1.txt: the archive is damaged" in refusal(write(tmp_path / "e.zip", damaged))


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        nameless = zipfile.ZipInfo("x")
        nameless.filename = ""
        with archive.open(nameless, "w") as member:
            member.write(b"x")
        archive.writestr("a/1.txt", "one")

    records = list(read_corpus(write(tmp_path / "c.zip", file.getvalue())))

    assert labelled(records) == [("one", "a")]
    assert reasons(records) == {"c.zip:": "has no name"}


@given(st.data())
def test_an_archive_of_which_any_byte_is_another_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    archive = bytearray(data.draw(st.sampled_from(_ARCHIVES)))
    for _ in range(data.draw(st.integers(1, 3))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.mktemp("damaged") / "c.zip", bytes(archive))

    try:
        found = "".join(str(record) for record in read_corpus(path, columns=Columns(split="")))
    except InvalidParameters as error:
        found = error.message
        named = found.startswith(("c.zip", str(path)))
    else:
        named = True
    assert named, found
    assert "lexiclass-archive-" not in found


def test_of_a_tar_archive_regular_files_are_read(tmp_path: Path) -> None:
    members = {
        "a/1.txt": "one", "../escaped.txt": "x", "/tmp/escaped.txt": "x",
        "a/link.txt": "/etc/passwd", "a/hard.txt": "a/1.txt", "a/pipe": "",
        "a/zero": "", "a/1.txt/2.txt": "x",
        f"a/{'n' * 300}.txt": "x", "a": "", ".hidden/1.txt": "x",
    }  # fmt: skip
    kinds = {
        "a/link.txt": tarfile.SYMTYPE, "a/hard.txt": tarfile.LNKTYPE, "a/pipe": tarfile.FIFOTYPE,
        "a/zero": tarfile.CHRTYPE, "a": tarfile.DIRTYPE,
    }  # fmt: skip

    records = list(read_corpus(write(tmp_path / "c.tar", tarred(members, **kinds))))

    assert labelled(records) == [("one", "a")]
    assert reasons(records) == {
        "c.tar:../escaped.txt": "its path leads out of the archive",
        "c.tar:/tmp/escaped.txt": "its path leads out of the archive",
        "c.tar:a/link.txt": "a link",
        "c.tar:a/hard.txt": "a link",
        "c.tar:a/pipe": "no file but a pipe or a device",
        "c.tar:a/zero": "no file but a pipe or a device",
        "c.tar:a/1.txt/2.txt": "there is another file of that name in the archive",
        f"c.tar:a/{'n' * 300}.txt": "its name is too long",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["c.tar"]


def test_a_header_of_a_tar_archive_that_fills_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.corpora.tars._MOST_AT_ONCE", 2**16)
    member = tarfile.TarInfo("a/1.txt")
    member.pax_headers = {"comment": "x" * 2**17}
    data = member.tobuf(tarfile.PAX_FORMAT) + bytes(2**12)

    assert "a header of 131,584 bytes" in refusal(write(tmp_path / "c.tar", data))


def test_the_one_folder_of_an_archive_may_be_that_of_a_split(tmp_path: Path) -> None:
    path = write(tmp_path / "c.zip", zipped({"c/train/a/1.txt": "one", "c/train/b/2.txt": "two"}))
    records = labelled_texts(read_corpus(path))
    assert [(r.label, r.split) for r in records] == [("a", "train"), ("b", "train")]


def test_folders_of_splits_may_have_a_name_in_common(tmp_path: Path) -> None:
    members = {f"20news-bydate-{split}/sci.med/{n}": f"text {n}" for n, split in
               enumerate(("train", "test"))}  # fmt: skip
    path = write(tmp_path / "20news-bydate.tar.gz", gzip.compress(tarred(members)))

    records = labelled_texts(read_corpus(path))

    assert [(r.text, r.label, r.split) for r in records] == [
        ("text 1", "sci.med", "test"), ("text 0", "sci.med", "train"),
    ]  # fmt: skip


def test_a_mailbox_by_itself_is_a_document_a_message(tmp_path: Path) -> None:
    message = b"From a@b.c Sat Nov 28 05:00:00 2026\n" + mail("one", "text") + b"\n"

    for name, data in {
        "c.mbox": message * 2,
        "c.mbox.gz": gzip.compress(message * 2),
        "c.zip": zipped({"c.mbox": message * 2}),
    }.items():
        path = write(tmp_path / name, data)
        records = list(read_corpus(path, labelled=False))
        assert labelled(records) == [("one\n\ntext", None)] * 2
        assert "a mailbox, the messages of which have no labels" in refusal(path)
        assert "--unlabelled" in refusal(path)


def test_a_document_by_itself_is_one_to_be_predicted(tmp_path: Path) -> None:
    path = write(tmp_path / "c.pdf", pdf("one"))

    assert labelled(read_corpus(path, labelled=False)) == [("one", None)]
    assert "found .pdf, one document (PDF), which has no label: put documents" in refusal(path)
    packed = write(tmp_path / "c.zip", zipped({"c.pdf": pdf("one")}))
    assert "one document (PDF), which has no label" in refusal(packed)


@pytest.mark.parametrize(
    ("name", "data", "package"),
    [
        ("c.xlsx", workbook(a=[["text"]]), "'python-calamine>=0.4'"),
        ("c.parquet", parquet([{"text": "one"}]), "'pyarrow>=20.0'"),
    ],
)
def test_a_table_whose_library_is_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, package: str
) -> None:
    monkeypatch.setattr("lexiclass.extraction.formats.is_installed", lambda _: False)

    assert refusal(write(tmp_path / name, data)).endswith(
        f"is not installed; run: pip install {package}"
    )


@pytest.mark.slow
def test_a_large_workbook_is_recognised_whatever_it_is_called(tmp_path: Path) -> None:
    texts = [hashlib.sha512(number.to_bytes(2)).hexdigest() for number in range(2500)]
    data = workbook(a=[["text", "label"], *([text, "a"] for text in texts)])

    assert len(data) > 2**17
    records = read_corpus(write(tmp_path / "c.bin", data))
    assert labelled(records) == [(text, "a") for text in texts]


def test_leading_rows_and_columns_of_a_workbook_may_be_empty(tmp_path: Path) -> None:
    data = workbook(a=[[], [], [None, "text", "label"], [None, None, None], [None, "one", "a"]])

    (record,) = labelled_texts(read_corpus(write(tmp_path / "c.xlsx", data)))

    assert (record.where, record.text, record.label) == ("c.xlsx:a:5", "one", "a")


def test_a_row_of_a_workbook_that_is_longer_than_the_first_is_refused(tmp_path: Path) -> None:
    rows = [["text", "", "label"], ["one", None, "a", "b"], ["two", None, "a"], ["x", 1, "a", 2, 3]]

    records = list(read_corpus(write(tmp_path / "c.xlsx", workbook(a=rows))))

    assert labelled(records) == [("two", "a")]
    assert reasons(records) == {
        "c.xlsx:a:2": "has 4 columns, the first line has 3",
        "c.xlsx:a:4": "has 5 columns, the first line has 3",
    }


@pytest.mark.slow
def test_a_column_of_parquet_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    arrays = [pa.array(["one"]), pa.array(["two"]), pa.array(["a"]), pa.array([1]), pa.array([2])]
    names = ["text", "text", "label", "other", "other"]
    pq.write_table(pa.table(arrays, names=names), tmp_path / "c.parquet")

    assert "c.parquet: the column 'text' is there 2 times" in refusal(tmp_path / "c.parquet")
    columns = Columns(text="label", labels={})
    assert len(list(read_corpus(tmp_path / "c.parquet", columns=columns))) == 1


def test_bytes_of_parquet_that_are_no_text_are_told(tmp_path: Path) -> None:
    rows = [
        {"text": b"caf\xe9", "label": b"a"},
        {"text": "caf\xe9".encode(), "label": b"a"},
        {"text": b"x", "label": b"caf\xe9"},
    ]

    records = list(read_corpus(write(tmp_path / "c.parquet", parquet(rows))))

    assert labelled(records) == [("caf\ufffd", "a"), ("caf\xe9", "a")]
    assert [record.remarks for record in labelled_texts(records[:2])] == [(REPLACED_BYTES,), ()]
    assert reasons(records) == {
        "c.parquet:3": "the label has bytes that are no text in its encoding"
    }


def rows_of(*texts: Any, label: str = "a") -> bytes:
    return parquet([{"id": n, "text": text, "label": label} for n, text in enumerate(texts)])


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data/train-00000-of-00001", "data/test-0-of-1"),
        ("train", "test"),
        ("default/training/0000", "default/test/0000"),
    ],
)
def test_a_folder_of_parquet_files_is_a_data_set_with_splits(
    tmp_path: Path, train: str, test: str
) -> None:
    for name, data in {
        "README.md": b"about it",
        f"{train}.parquet": rows_of("one", "two"),
        f"{test}.parquet": rows_of("three", label="b"),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, data)

    records = list(read_corpus(tmp_path))

    accepted = [record for record in records if isinstance(record, LabelledText)]
    assert {record.text: (record.label, record.split) for record in accepted} == {
        "one": ("a", "train"), "two": ("a", "train"), "three": ("b", "test"),
    }  # fmt: skip
    assert len({record.id for record in accepted}) == 3
    assert f"{train}.parquet:1" in {record.where for record in accepted}
    assert reasons(records) == {"README.md": "a file beside the Parquet files"}


def test_a_data_set_of_parquet_files_may_be_zipped(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "c/README.md": "about it", "c/train.parquet": rows_of("one")
    }  # fmt: skip
    _, *rest = read_corpus(write(tmp_path / "c.zip", zipped(files)))

    (record,) = labelled_texts(rest)
    assert (record.where, record.split) == ("c/train.parquet:1", "train")


@pytest.mark.slow
def test_parquet_files_without_splits_in_their_names_have_none(tmp_path: Path) -> None:
    write(tmp_path / "part-0.parquet", rows_of("one"))
    write(tmp_path / "part-1.parquet", rows_of("two"))

    records = labelled_texts(read_corpus(tmp_path))
    assert [(record.text, record.split, record.id) for record in records] == [
        ("one", None, "0"), ("two", None, "0"),
    ]  # fmt: skip

    write(tmp_path / "train-0.parquet", rows_of("three"))
    with_a_split = list(read_corpus(tmp_path))
    assert labelled(with_a_split) == [("three", "a")]
    assert list(reasons(with_a_split)) == ["part-0.parquet", "part-1.parquet"]


def test_parquet_files_of_several_data_sets_are_not_mixed(tmp_path: Path) -> None:
    for name in ("de", "en"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "train.parquet", rows_of("one"))

    assert "in several folders, 'de', 'en'" in refusal(tmp_path)
    assert labelled(read_corpus(tmp_path / "de")) == [("one", "a")]


def test_documents_beside_a_parquet_file_are_a_folder_of_documents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "1.txt", "one")
    write(tmp_path / "train.parquet", rows_of("two"))

    records = list(read_corpus(tmp_path))

    assert labelled(records) == [("one", "a")]
    assert reasons(records) == {"train.parquet": "a file beside the class folders"}


def test_rows_that_take_no_room_are_refused(tmp_path: Path) -> None:
    rows = pa.nulls(3_000_000, pa.string())
    pq.write_table(pa.table({"text": rows, "label": rows}), tmp_path / "c.parquet")

    assert "has 3,000,000 rows in" in refusal(tmp_path / "c.parquet")


def test_a_cell_that_is_too_large_costs_its_row(tmp_path: Path) -> None:
    rows = [{"text": text, "label": "a"} for text in ("x" * 1001, "y" * 1000, "z" * 10**6)]
    write(tmp_path / "c.parquet", parquet(rows))
    long = workbook(a=[["text", "label"], ["x" * 1001, "a"], ["y" * 1000, "a"], ["z" * 3000, "a"]])
    write(tmp_path / "c.xlsx", long)

    for name in ("c.parquet", "c.xlsx"):
        records = list(read_corpus(tmp_path / name, max_bytes=1000))
        assert labelled(records) == [("y" * 1000, "a")]
        assert list(reasons(records).values()) == ["too large"] * 2
