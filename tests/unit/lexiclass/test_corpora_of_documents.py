"""Folders of documents that are no plain text."""

from __future__ import annotations

import gzip
import os
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora.records import OTHER_BYTES, REPLACED_BYTES
from tests.support.documents import mail, open_document, pdf, word, zipped
from tests.support.records import Record, labelled_texts

NEWS = b"From: ada@example.invalid (Ada)\nSubject: %s\nLines: 1\n\nA caf\xe9 for %s.\n"


def accepted(
    records: Iterable[Record],
) -> list[LabelledText]:
    return [record for record in records if isinstance(record, LabelledText)]


def reasons(records: Iterable[Record]) -> dict[str, str]:
    return {record.where: record.reason for record in records if isinstance(record, Refusal)}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def test_a_folder_per_class_may_hold_every_format_of_documents(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a/1.txt": b"one",
            "a/2.eml": mail("two", "text"),
            "a/3.html": b"<script>var x;</script><p>three",
            "a/4.md": b"# four",
            "a/5.pdf": pdf("five", title="A report"),
            "a/6.docx": word("six"),
            "a/7.odt": open_document("<text:p>seven</text:p>"),
            "a/8.rtf": b"{\\rtf1\\ansi eight}",
            "a/9.txt.gz": gzip.compress(b"nine", mtime=0),
            "a/LICENSE": b"ten",
            "a/notes.log": b"eleven",
        },
    )

    records = accepted(read_corpus(tmp_path))

    assert [record.text.strip() for record in records] == [
        "one", "two\n\ntext", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven",
    ]  # fmt: skip
    formats = {record.metadata["source"]: record.metadata["format"] for record in records}
    assert formats["a/2.eml"] == "email"
    assert formats["a/9.txt.gz"] == formats["a/LICENSE"] == "text"
    assert records[4].metadata == {
        "source": "a/5.pdf", "format": "pdf", "title": "A report", "author": "Ada",
    }  # fmt: skip


def test_what_can_be_no_document_is_refused_with_its_name_and_a_way_out(tmp_path: Path) -> None:
    inside = gzip.compress(b"one", mtime=0)
    write(
        tmp_path,
        {
            "a/1.txt": pdf("one"),
            "a/2.pdf": b"no PDF",
            "a/3.xlsx": zipped({"xl/workbook.xml": "<workbook/>"}),
            "a/4.zip": zipped({"1.txt": "one"}),
            "a/5.gz": gzip.compress(inside, mtime=0),
            "a/6.gz": inside[:-9],
            "a/7.gz": gzip.compress(b"x" * 1001, mtime=0),
            "a/Thumbs.db": b"\xd0\xcf\x11\xe0",
            "a/8": b"\0\1\2",
            "a/9.doc": b"plain text under the name of a Word document",
        },
    )

    records = list(read_corpus(tmp_path, max_bytes=1000))

    # A PDF stays one whatever it is called.
    assert [(record.where, record.text) for record in accepted(records)] == [("a/1.txt", "one")]
    found = reasons(records)
    assert found["a/2.pdf"].startswith("PDF: damaged")
    assert found["a/3.xlsx"].startswith("Excel workbook: a table, no document; import it by itself")
    assert found["a/4.zip"] == "zip archive: unzip it first"
    assert found["a/5.gz"] == "an archive inside another; unpack it first"
    assert found["a/6.gz"] == "gzip archive: damaged"
    assert found["a/7.gz"] == "gzip archive: too large when unpacked"
    assert found["a/Thumbs.db"].startswith("OLE file")
    assert found["a/8"] == "binary, in no format that is known; convert it to text first"
    assert "save it anew as .docx" in found["a/9.doc"]


def test_news_articles_without_an_ending_are_read_as_messages(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"misc.forsale/51120": NEWS % (b"bikes", b"you"), "sci.med/7": NEWS % (b"x", b"y")},
    )

    records = accepted(read_corpus(tmp_path))

    assert [(record.label, record.text) for record in records] == [
        ("misc.forsale", "bikes\n\nA café for you."),
        ("sci.med", "x\n\nA café for y."),
    ]
    assert records[0].metadata["subject"] == "bikes"
    assert records[0].metadata["source"] == "misc.forsale/51120"


def test_a_mailbox_is_a_document_a_message(tmp_path: Path) -> None:
    mailbox = b"".join(
        b"From ada@example.invalid Sat Nov 28 05:00:00 2026\nFrom: a@b.c\nSubject: %d\n\n%s\n\n"
        % pair
        for pair in [(1, b"one\n>From the start"), (2, b""), (3, b"x" * 1000), (4, b"four")]
    )
    write(tmp_path, {"a/mail.mbox": mailbox})

    records = list(read_corpus(tmp_path, max_bytes=len(mailbox)))

    assert [(record.where, record.id, record.text) for record in accepted(records)] == [
        ("a/mail.mbox:1", "a/mail.mbox:1", "1\n\none\nFrom the start"),
        ("a/mail.mbox:14", "a/mail.mbox:14", "3\n\n" + "x" * 1000),
        ("a/mail.mbox:20", "a/mail.mbox:20", "4\n\nfour"),
    ]
    assert reasons(records) == {"a/mail.mbox:8": "e-mail message: has no text"}


def test_a_mailbox_may_be_larger_than_a_document(tmp_path: Path) -> None:
    message = b"From a@b.c Sat Nov 28 05:00:00 2026\n" + mail("one", "text") + b"\n"
    write(tmp_path, {"a/mail": message * 10, "a/1.txt": b"x" * 2000, "a/2.pdf": b"%PDF-" * 500})

    records = list(read_corpus(tmp_path, max_bytes=1000))

    assert [record.text for record in accepted(records)] == ["one\n\ntext"] * 10
    assert reasons(records) == {"a/1.txt": "too large", "a/2.pdf": "too large"}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, {"a/1.txt": b"one"})
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "2.txt").symlink_to("pipe")

    records = list(read_corpus(tmp_path))

    assert [record.text for record in accepted(records)] == ["one"]
    assert reasons(records) == dict.fromkeys(
        ("a/2.txt", "a/pipe"), "no file but a pipe or a device"
    )


def test_a_message_that_begins_as_in_a_mailbox_is_one_document(tmp_path: Path) -> None:
    postmark = b"From a@b.c  Thu Aug 22 12:36:23 2002\n"
    message = postmark + NEWS % (b"bikes", b"you")
    write(tmp_path, {"ham/0001.1ea7": message, "ham/2.mbox": message, "spam/3.mbox": b"no message"})

    records = list(read_corpus(tmp_path))

    assert [record.where for record in accepted(records)] == ["ham/0001.1ea7", "ham/2.mbox:1"]
    assert {record.text for record in accepted(records)} == {"bikes\n\nA café for you."}
    assert reasons(records) == {"spam/3.mbox:1": 'no message: has no line "From ..." before it'}


def test_a_table_of_labels_names_documents_with_or_without_their_ending(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "1.pdf": pdf("one"),
            "2.docx": word("two"),
            "2.txt": b"the text of two",
            "3.html": b"<p>three",
            "4.csv": b"no document",
            "labels.csv": b"id,label\n1,a\n2.docx,b\n2,c\n",
        },
    )

    records = list(read_corpus(tmp_path))

    assert [(record.id, record.label, record.text.strip()) for record in accepted(records)] == [
        ("1", "a", "one"),
        ("2.docx", "b", "two"),
        ("2", "c", "the text of two"),
        ("3.html", None, "three"),
    ]
    assert not reasons(records)


def test_a_folder_without_labels_may_hold_any_documents(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"1.txt": b"one", "2.pdf": pdf("two"), "51120": NEWS % (b"s", b"t"), "4.bin": b"\0"},
    )

    with pytest.raises(InvalidParameters):
        list(read_corpus(tmp_path))
    records = list(read_corpus(tmp_path, labelled=False))

    assert [(record.id, record.text) for record in accepted(records)] == [
        ("1", "one"), ("2.pdf", "two"), ("51120", "s\n\nA café for t."),
    ]  # fmt: skip
    assert list(reasons(records)) == ["4.bin"]


def test_no_process_is_left_behind_when_reading_stops_early(tmp_path: Path) -> None:
    write(tmp_path, {f"a/{number}.eml": mail("s", "t") for number in range(3)})
    records = read_corpus(tmp_path)

    assert isinstance(records, Generator)
    (first,) = labelled_texts([next(records)])
    assert first.text == "s\n\nt"
    records.close()

    # An open pipe or a running process would be a ResourceWarning, which fails the test.


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("document_format", "expected"),
    [
        (None, ["one", "s\n\nt", "Dear Ada,\n\n<b>hello</b>", "x"]),
        ("text", ["# one", "From: a@b.c\nSubject: s\n\nt", "Dear Ada,\n\n<b>hello</b>", "x"]),
        ("html", ["# one", "From: a@b.c Subject: s t", "Dear Ada, hello", "x"]),
        ("email", ["# one", "s\n\nt", "Dear Ada,\n\n<b>hello</b>", "x"]),
    ],
)
def test_the_format_of_texts_can_be_said(
    tmp_path: Path, document_format: str | None, expected: list[str]
) -> None:
    write(
        tmp_path,
        {
            "a/1.md": b"# one",
            "a/2": b"From: a@b.c\nSubject: s\n\nt",
            "a/3": b"Dear Ada,\n\n<b>hello</b>",
            "a/4.txt": pdf("x"),
        },
    )

    assert [
        r.text for r in accepted(read_corpus(tmp_path, document_format=document_format))
    ] == expected


def test_a_format_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameters, match="expected text, email, html, markdown"):
        read_corpus(tmp_path, document_format="pdf")


POSTMARK = b"From ada@example.invalid Sat Nov 28 05:00:00 2026\n"


def test_messages_of_a_mailbox_need_no_empty_line_between_them(tmp_path: Path) -> None:
    mailbox = POSTMARK + b"Subject: 1\n\none\n" + POSTMARK + b"Subject: 2\n\ntwo\n"
    write(tmp_path, {"a/mail.mbox": mailbox})

    assert [record.text for record in accepted(read_corpus(tmp_path))] == ["1\n\none", "2\n\ntwo"]


@pytest.mark.parametrize(
    "line",
    ["From here on it is easy", "From 9:30 to 10:00\nwe are out", "From me\nTo: you, with love"],
)
def test_a_sentence_that_begins_with_from_is_no_message(tmp_path: Path, line: str) -> None:
    body = f"one\n\n{line}\nand more"
    mailbox = POSTMARK + f"Subject: 1\n\n{body}\n\n".encode() + POSTMARK + mail("2", "two")
    write(tmp_path, {"a/mail.mbox": mailbox})

    texts = [record.text for record in accepted(read_corpus(tmp_path))]
    assert texts == [f"1\n\n{body}", "2\n\ntwo"]


def test_a_postmark_without_a_time_begins_a_message_before_its_headers(tmp_path: Path) -> None:
    mailbox = b"From ada\nSubject: 1\n\none\n\nFrom ada\nReceived: x\nSubject: 2\n\ntwo\n"
    write(tmp_path, {"a/mail.mbox": mailbox})

    assert [record.text for record in accepted(read_corpus(tmp_path))] == ["1\n\none", "2\n\ntwo"]


def test_what_stands_before_the_first_message_of_a_mailbox_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"a/mail.mbox": b"\nlost\n\n" + POSTMARK + mail("1", "one")})

    records = list(read_corpus(tmp_path))

    assert [record.text for record in accepted(records)] == ["1\n\none"]
    assert list(reasons(records)) == ["a/mail.mbox:1"]


RUSSIAN = "принимая во внимание, что необходимо, чтобы права человека охранялись законом"
CHINESE = "股票市场今天上涨了很多，投资者都很高兴。"


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        (None, "cp1251", RUSSIAN),
        ("us-ascii", "koi8-r", RUSSIAN),
        ("x-unknown", "gb18030", CHINESE),
        ("utf-8", "gb18030", CHINESE),
        ("gb2312", "gb18030", "镕 " + CHINESE),
        (None, "cp1252", "Viele Grüße"),
        ("iso-8859-1", "utf-8", "Viele Grüße"),
        ("utf-16", "utf-8", "Viele Grüße"),
    ],
)
def test_what_a_message_declares_wrongly_or_not_is_decoded_as_any_text(
    tmp_path: Path, declared: str | None, encoding: str, text: str
) -> None:
    kind = f"Content-Type: text/plain; charset={declared}\n" if declared else ""
    message = f"From: a@b.c\nDate: x\nSubject: {text}\n{kind}\n{text}\n".encode(encoding)
    write(tmp_path, {"a/1.eml": message})

    (record,) = accepted(read_corpus(tmp_path))

    assert (record.text, record.remarks) == (f"{text}\n\n{text}", ())


def test_bytes_of_a_message_that_are_no_text_are_said(tmp_path: Path) -> None:
    head = b"From: a@b.c\nDate: x\nContent-Type: text/plain; charset=utf-8\n\n"
    write(tmp_path, {"a/1.eml": head + "die grüne Tür öffnet ".encode() + b"\xff\n"})
    write(tmp_path, {"a/2.html": "<meta charset=utf-8><p>die grüne Tür ".encode() + b"\xff</p>"})

    found = accepted(read_corpus(tmp_path))

    assert [record.text[-1] for record in found] == ["\ufffd", "\ufffd"]
    assert [record.remarks for record in found] == [(REPLACED_BYTES,)] * 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a/1.eml", "a/1.txt"])
def test_a_message_in_an_encoding_with_a_mark_is_a_message(
    tmp_path: Path, encoding: str, name: str
) -> None:
    message = f"From: a@b.c\nDate: x\nSubject: Grüße\n\n{RUSSIAN}\n"
    write(tmp_path, {name: message.encode(encoding)})

    (record,) = accepted(read_corpus(tmp_path))

    assert record.text == f"Grüße\n\n{RUSSIAN}"
    assert record.metadata["from"] == "a@b.c"


def test_a_text_half_of_which_is_in_another_encoding_is_read_in_both_and_said(
    tmp_path: Path,
) -> None:
    lines = ["die grüne Tür", "Größe und Maß", "für Käufer"]
    data = "\n".join(lines).encode() + b"\n" + "\n".join(lines).encode("cp1252")
    write(tmp_path, {"a/1.txt": data})

    (record,) = accepted(read_corpus(tmp_path))

    assert record.text == "\n".join(lines * 2)
    assert (record.encoding, record.remarks) == ("utf-8", (OTHER_BYTES,))
