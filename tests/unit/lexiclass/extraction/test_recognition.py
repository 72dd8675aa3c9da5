"""Which format a file is in, whatever it is called."""

from __future__ import annotations

import gzip

import pytest

from lexiclass.extraction import recognise
from lexiclass.extraction.formats import OLE
from tests.support.documents import mail, open_document, pdf, word, zipped

NEWS = b"From: ada@example.invalid (Ada)\nSubject: Re: bikes\nOrganization: none\nLines: 2\n\nHi.\n"
ARTICLE = (
    b"Xref: cantaloupe misc.forsale:75942\nNewsgroups: misc.forsale\nFrom: a@b.c\n\nFor sale.\n"
)
MBOX = b"From ada@example.invalid Sat Nov 28 05:00:00 2026\nFrom: a@b.c\nSubject: x\n\ntext\n"
WORKBOOK = zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<workbook/>"})


@pytest.mark.parametrize("name", ["a.txt", "a", "a.csv", "51120", "a.html", "a.eml"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pdf("one"), "PDF"),
        (b"\n \r\n" + pdf("one"), "PDF"),
        (b"{\\rtf1\\ansi one}", "RTF"),
        (b"\xef\xbb\xbf{\\rtf1\\ansi one}", "RTF"),
        (word("one"), "Word document"),
        (open_document("<text:p>one</text:p>"), "OpenDocument text"),
        (WORKBOOK, "Excel workbook"),
        (zipped({"a.txt": "one"}), "zip archive"),
        (gzip.compress(b"one", mtime=0), "gzip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE.name),
        (b"PAR1....PAR1", "Parquet"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (mail("one", "text"), "e-mail message"),
        (NEWS, "e-mail message"),
        (NEWS.replace(b"\n", b"\r\n"), "e-mail message"),
        (ARTICLE, "e-mail message"),
        (MBOX, "mailbox"),
        (b"<!DOCTYPE html><p>one", "HTML"),
        (b"<!-- one --><!-- two -->\n<html>", "HTML"),
        (b"<?xml version='1.0'?>\n<HTML><body>one", "HTML"),
    ],
)  # fmt: skip
def test_what_a_file_begins_with_tells_its_format_whatever_it_is_called(
    name: str, data: bytes, expected: str
) -> None:
    found = recognise(name, data)

    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", "Markdown"), ("a.MD", "Markdown"), ("a.htm", "HTML"), ("a.pdf", "PDF"),
        ("a.eml", "e-mail message"),
        ("a.docx", "Word document"), ("a.gz", "gzip archive"), ("a.tar", "tar archive"),
    ],
)  # fmt: skip
def test_else_its_ending_tells(name: str, expected: str) -> None:
    found = recognise(name, b"nothing of note")

    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"A plain note.\n",
        b"From: the beginning of a story\n\nIt was dark.",
        b"Subject: a memo without an author\nDate: today\n\nText.",
        b"From Monday on the shop is closed.\nSorry!",
        b"To: everybody\n",
        b"12:30 lunch\n13:00: meeting\n\nend",
        b"The tag <html> begins a page.",
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "LICENSE", "notes.log"])
def test_plain_text_is_in_no_format(name: str, data: bytes) -> None:
    assert recognise(name, data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"<!-- -->" * 8_000,
        b"From " + b"12:34" * 13_000,
        b"From: a\n" * 8_000,
        b" " * 65_000,
        b"<?xml " * 10_000,
        b"PK\3\4" * 16_000,
    ],
)
def test_no_file_holds_up_whoever_looks_at_it(data: bytes) -> None:
    # Each took hours with expressions that go back over what they have matched.
    recognise("a", data)
