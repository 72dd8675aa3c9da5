"""The text of each format, by the function that the process runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lexiclass import DocumentUnreadable
from lexiclass.extraction.docx import extract_docx
from lexiclass.extraction.html import extract_html
from lexiclass.extraction.mail import extract_mail
from lexiclass.extraction.markdown import extract_markdown
from lexiclass.extraction.odt import extract_odt
from lexiclass.extraction.pdf import extract_pdf
from lexiclass.extraction.rtf import extract_rtf
from tests.support.documents import mail, open_document, pdf, word, zipped


def refusal(extract: Callable[[bytes], object], data: bytes) -> str:
    with pytest.raises(DocumentUnreadable) as caught:
        extract(data)
    return caught.value.reason


def test_a_page_gives_what_a_reader_sees() -> None:
    page = (
        "<!doctype html><html><head><title>Roses</title><style>p {color: red}</style></head>"
        "<body><script>var x = 0;</script><!-- hidden --><h1>Water\n  them</h1><p>Gr&uuml;&szlig;e"
        " <b>to</b>day</p><ul><li>one<li>two</ul><table><tr><td>1<td>2</table><pre>a\n b</pre>end"
    )

    found = extract_html(page.encode())

    assert found.text == "Water them\n\nGrüße today\n\none\n\ntwo\n\n1 2\n\na\nb\nend"
    assert found.metadata == {"title": "Roses"}


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ("<meta charset=windows-1251>", "cp1251"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ('<?xml version="1.0" encoding="windows-1251"?>', "cp1251"),
        ("<meta charset=iso-8859-1>", "utf-8"),
        ("<meta charset=no-such-thing>", "utf-8"),
        ("", "utf-16"),
    ],
)
def test_a_page_is_decoded_as_it_declares_unless_that_is_wrong(
    declaration: str, encoding: str
) -> None:
    page = f"{declaration}<p>Розы требуют воды</p>"

    assert extract_html(page.encode(encoding)).text == "Розы требуют воды"


def test_a_page_may_be_as_deep_as_it_likes() -> None:
    page = "<b>" * 300 + "<i>" * 300 + "deep"

    assert extract_html(page.encode()).text == "deep"


def test_markdown_loses_its_marks() -> None:
    source = (
        b"---\ntitle: The garden\ndate: 2026\n---\n# Roses\n\n**Water** them, "
        b"see [the *list*](x.html)\n"
        b"![a bed](b.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- `two`\n\n<b>bold</b>\n"
    )

    found = extract_markdown(source)

    assert found.text.split() == "Roses Water them, see the list a b 1 2 one two bold".split()
    assert found.metadata == {"title": "The garden"}


def test_a_pdf_gives_the_text_of_its_pages_and_says_title_and_author() -> None:
    found = extract_pdf(pdf("first page", "second page", title="A report"))

    assert found.text == "first page\n\nsecond page"
    assert found.metadata == {"title": "A report", "author": "Ada"}


def test_a_pdf_that_was_cut_off_gives_what_is_there() -> None:
    data = pdf("some text")

    assert extract_pdf(data[: data.rindex(b"xref\n")]).text == "some text"


def test_a_pdf_under_a_password_is_refused_with_a_way_out() -> None:
    assert refusal(extract_pdf, pdf("secret", password="x")) == (
        "protected by a password; save it without, e.g. with qpdf --decrypt"
    )
    # The password of its owner only restricts what may be done with it.
    assert extract_pdf(pdf("open", password="")).text == "open"


def test_a_pdf_of_pictures_is_refused_with_a_way_out() -> None:
    assert refusal(extract_pdf, pdf("")).startswith("has no text; if its pages are scans")


def test_a_word_document_gives_paragraphs_and_tables() -> None:
    data = word("First.", "Second\twith a tab.", table=[["a", "b"], ["c", "d"]], title="A letter")

    found = extract_docx(data)

    assert found.text.split() == "First. Second with a tab. a b c d".split()
    assert "First.\nSecond\twith a tab.\n" in found.text
    assert found.metadata == {"title": "A letter", "author": "Ada"}


def test_the_body_of_a_word_document_is_where_its_relationships_say() -> None:
    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    body = f"<w:document {names}><w:p><w:r><w:t>the body</w:t></w:r></w:p></w:document>"
    links = (
        f'<Relationships><Relationship Type="{kind}" Target="/word/document2.xml"/></Relationships>'
    )

    data = zipped({"_rels/.rels": links, "word/document2.xml": body})

    assert extract_docx(data).text == "the body"


def test_changes_in_a_word_document_count_as_accepted() -> None:
    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = (
        f"<w:document {names}><w:body><w:p><w:r><w:t>kept </w:t></w:r>"
        "<w:ins><w:r><w:t>added </w:t></w:r></w:ins><w:del><w:r><w:delText>gone</w:delText></w:r>"
        "</w:del><w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom><w:r><w:instrText>PAGE"
        "</w:instrText></w:r></w:p></w:body></w:document>"
    )
    notes = f"<w:footnotes {names}><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnotes>"
    data = zipped({"word/document.xml": body, "word/footnotes.xml": notes})

    assert extract_docx(data).text == "kept added\n\na note"


def test_an_open_document_gives_its_text_without_comments_and_deleted_text() -> None:
    found = extract_odt(
        open_document(
            "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
            '<text:h>Head<text:s text:c="3"/>line</text:h>'
            "<text:p>one<text:tab/>two<text:line-break/>"
            "three<office:annotation><text:p>a comment</text:p></office:annotation></text:p>"
            "<table:table><table:table-cell><text:p>cell</text:p></table:table-cell></table:table>",
            title="A letter",
        )
    )

    assert found.text == "Head   line\none\ttwo\nthree\ncell"
    assert found.metadata == {"title": "A letter"}


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">'
    '<!ENTITY c SYSTEM "file:///etc/passwd">]><x>&b;&c;</x>'
)


@pytest.mark.parametrize(
    ("extract", "member"), [(extract_docx, "word/document.xml"), (extract_odt, "content.xml")]
)
def test_entities_in_an_office_document_are_refused(
    extract: Callable[[bytes], str], member: str
) -> None:
    assert (
        refusal(extract, zipped({member: BOMB}))
        == "declares entities, which office documents don't"
    )


@pytest.mark.parametrize(
    ("extract", "member"), [(extract_docx, "word/document.xml"), (extract_odt, "content.xml")]
)
def test_a_part_that_unpacks_to_too_much_is_refused(
    extract: Callable[[bytes], str], member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.extraction.zipped.MAX_PART_BYTES", 2**16)

    assert refusal(extract, zipped({member: "x" * 2**20})) == "too large when unpacked"


@pytest.mark.parametrize("extract", [extract_docx, extract_odt])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\3\4nothing",
        zipped({"other.xml": "<x/>"}),
        zipped({"content.xml": "<x>", "word/document.xml": "<x>"}),
    ],
)
def test_a_damaged_office_document_is_refused(extract: Callable[[bytes], str], data: bytes) -> None:
    assert refusal(extract, data) == "damaged"


def test_rtf_loses_its_control_words() -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\f0 Gr\'fc\'dfe"
        rb"{\pict\pngblip 89504e47}\par next}"
    )

    assert extract_rtf(data).text == "Grüße\nnext"


def test_a_message_gives_subject_and_plain_text_and_names_its_attachments() -> None:
    found = extract_mail(
        mail("Grüße aus Köln", "Viele Grüße", page="<p>as a page</p>", attachment="a.png")
    )

    assert found.text == "Grüße aus Köln\n\nViele Grüße"
    assert found.metadata == {
        "subject": "Grüße aus Köln",
        "from": "Ada <ada@example.invalid>",
        "to": "desk@example.invalid",
        "date": "Sat, 28 Nov 2026 05:00:00 +0000",
        "attachments": ["a.png"],
    }


def test_a_message_without_plain_text_gives_its_page() -> None:
    found = extract_mail(mail("News", page="<style>p{}</style><p>Viele Grüße</p>"))

    assert found.text == "News\n\nViele Grüße"


def test_of_alternatives_one_is_read_and_what_is_inline_in_a_row() -> None:
    page = "--y\nContent-Type: text/html\n\n<p>page\n--y--\n"
    message = (
        "From: a@b.c\nContent-Type: multipart/mixed; boundary=x\n\n--x\n"
        "Content-Type: multipart/alternative; boundary=z\n\n--z\n\n \n--z\n"
        f"Content-Type: multipart/related; boundary=y\n\n{page}--z--\n"
        "--x\nContent-Type: text/enriched\n\nrich\n"
        "--x\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nno\n"
        "--x\nContent-Type: text/calendar\n\nno\n--x--\n"
    )

    found = extract_mail(message.encode())

    assert found.text.split() == ["page", "rich"]
    assert found.metadata["attachments"] == ["a.txt", "text/calendar"]


def test_a_news_article_of_the_nineties_is_read_in_its_bytes() -> None:
    article = (
        b"Newsgroups: soc.culture\nFrom: Andr\xe9 <a@b.c>\nSubject: Caf\xe9\n  au lait\n"
        b"Lines: 1\n\nUn caf\xe9 noir, s'il vous pla\xeet.\n"
    )

    found = extract_mail(article)

    assert found.text == "Café au lait\n\nUn café noir, s'il vous plaît."
    assert found.metadata["from"] == "André <a@b.c>"
    assert found.metadata["newsgroups"] == "soc.culture"


@pytest.mark.parametrize("charset", ["x-unknown", "base64", "us-ascii", "iso-8859-1", "utf-8"])
def test_a_charset_that_is_unknown_or_wrong_loses_no_text(charset: str) -> None:
    message = f"From: a@b.c\nContent-Type: text/plain; charset={charset}\n\nViele Grüße\n"

    assert extract_mail(message.encode()).text == "Viele Grüße"


def test_a_forwarded_message_is_an_attachment() -> None:
    inner = mail("inner", "not read").decode()
    message = (
        "From: a@b.c\nSubject: outer\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nread\n"
        f"--x\nContent-Type: message/rfc822\n\n{inner}\n--x--\n"
    )

    found = extract_mail(message.encode())

    assert found.text == "outer\n\nread"
    assert found.metadata["attachments"] == ["message/rfc822"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("From: a@b.c\nSubject: x\n\n", "has no text"),
        ("From: a@b.c\nContent-Type: image/png\n\nxyz", "has no text"),
        (
            (
                "From: a@b.c\nContent-Type: multipart/encrypted; boundary=x\n\n"
                "--x\nContent-Type: application/octet-stream\n\n.\n--x--"
            ),
            "encrypted",
        ),
        (
            "From: a@b.c\nContent-Type: multipart/mixed; boundary=x\n\n"
            + "--x\n\na\n" * 1100 + "--x--",
            "has more than 1000 parts",
        ),
    ],
)  # fmt: skip
def test_a_message_without_text_is_refused(message: str, reason: str) -> None:
    assert refusal(extract_mail, message.encode()) == reason
