"""Documents as programs write them: the smallest files that are really theirs."""

import io
import zipfile
from collections.abc import Mapping
from email.message import EmailMessage

import docx
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def pdf(*pages: str, title: str | None = None, password: str | None = None) -> bytes:
    """A PDF with a line of text on each page."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(width=200, height=200)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode("latin-1"))
        page[NameObject("/Contents")] = stream
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    if title is not None:
        writer.add_metadata({"/Title": title, "/Author": "Ada"})
    if password is not None:
        writer.encrypt(password, algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def word(*paragraphs: str, table: list[list[str]] | None = None, title: str = "") -> bytes:
    """A Word document."""
    document = docx.Document()
    document.core_properties.title = title
    document.core_properties.author = "Ada"
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table is not None:
        grid = document.add_table(rows=len(table), cols=len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A zip file; the member "mimetype", as in an OpenDocument file, is not compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else None
            archive.writestr(name, content, compress_type=stored)
    return file.getvalue()


_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:"


def open_document(body: str, *, title: str = "") -> bytes:
    """An OpenDocument text.

    Args:
        body: Elements with the usual prefixes, ``<text:p>...</text:p>``.
        title: Of its metadata.
    """
    names = (
        f'xmlns:office="{_OFFICE}office:1.0" xmlns:text="{_OFFICE}text:1.0" '
        f'xmlns:table="{_OFFICE}table:1.0" xmlns:meta="{_OFFICE}meta:1.0" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {names}><office:body><office:text>{body}"
            "</office:text></office:body></office:document-content>",
            "meta.xml": f"<office:document-meta {names}><office:meta><dc:title>{title}</dc:title>"
            "</office:meta></office:document-meta>",
        }
    )


def mail(subject: str, text: str = "", *, page: str = "", attachment: str = "") -> bytes:
    """An e-mail message: plain text, a page, both as alternatives, a file beside them."""
    message = EmailMessage()
    message["From"] = "Ada <ada@example.invalid>"
    message["To"] = "desk@example.invalid"
    message["Subject"] = subject
    message["Date"] = "Sat, 28 Nov 2026 05:00:00 +0000"
    if text:
        message.set_content(text, cte="quoted-printable")
    if page and text:
        message.add_alternative(page, subtype="html")
    elif page:
        message.set_content(page, subtype="html", cte="base64")
    if attachment:
        message.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png", filename=attachment)
    return message.as_bytes()
