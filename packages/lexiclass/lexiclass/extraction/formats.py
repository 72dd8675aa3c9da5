"""The formats that documents come in: how each is told, read, and what to do where it is not.

A new format is one entry here and, where it can be read, one module beside this one.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from lexiclass.installed import is_installed


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFormat:
    """What is known of a format before anything is parsed.

    Attributes:
        name: As people call it.
        key: As it is called in the metadata of a document and by options; empty for a format whose
            files are no documents here.
        endings: Of file names, in lower case and with the dot.
        magic: What its files begin with, one of them.
        extractor: ``"package.module:function"`` that returns the
            :class:`~lexiclass.extraction.content.ExtractedText` of bytes; empty for a format whose
            files are no documents here.
        declares_charset: Whether its files say what their text is in, and leave it out at times:
            its extractor has a second parameter, ``code_page``, for those.
        requires: Distributions that must be installed, and lowest versions; for ``pip install``.
        way_out: What to do with a file that can't be read as a document.
    """

    name: str
    key: str = ""
    endings: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()
    extractor: str = ""
    declares_charset: bool = False
    requires: tuple[str, ...] = ()
    way_out: str = ""

    @property
    def install_command(self) -> str:
        """What installs what is missing; empty where nothing is."""
        missing = [name for name in self.requires if not is_installed(name)]
        return shlex.join(("pip", "install", *missing)) if missing else ""

    @property
    def refusal(self) -> str:
        """Why a file of it becomes no document; empty where it can become one."""
        if not self.extractor:
            return f"{self.name}: {self.way_out}"
        if command := self.install_command:
            return f"{self.name}: what reads it is not installed; run: {command}"
        return ""


_HTML_PARSER = "selectolax>=0.4"

EMAIL = DocumentFormat(
    name="e-mail message",
    key="email",
    endings=(".eml",),
    extractor="lexiclass.extraction.mail:extract_mail",
    declares_charset=True,
    way_out="save its text as .txt",
)
MAILBOX = DocumentFormat(
    name="mailbox",
    endings=(".mbox", ".mbx"),
    way_out="import the .mbox file in a folder per class, or by itself without labels: each "
    "message is a document",
)
HTML = DocumentFormat(
    name="HTML",
    key="html",
    endings=(".html", ".htm", ".xhtml"),
    extractor="lexiclass.extraction.html:extract_html",
    declares_charset=True,
    requires=(_HTML_PARSER,),
    way_out="save the page as text",
)
MARKDOWN = DocumentFormat(
    name="Markdown",
    key="markdown",
    endings=(".md", ".markdown"),
    extractor="lexiclass.extraction.markdown:extract_markdown",
    requires=("markdown-it-py>=3.0", _HTML_PARSER),
    way_out="name it .txt to take it as it is",
)
PDF = DocumentFormat(
    name="PDF",
    key="pdf",
    endings=(".pdf",),
    magic=(b"%PDF-",),
    extractor="lexiclass.extraction.pdf:extract_pdf",
    requires=("pypdf[crypto]>=6.0",),
    way_out="extract its text first, e.g. with pdftotext",
)
DOCX = DocumentFormat(
    name="Word document",
    key="docx",
    endings=(".docx", ".docm", ".dotx"),
    extractor="lexiclass.extraction.docx:extract_docx",
    way_out="save it anew as .docx or .txt",
)
ODT = DocumentFormat(
    name="OpenDocument text",
    key="odt",
    endings=(".odt", ".ott"),
    extractor="lexiclass.extraction.odt:extract_odt",
    way_out="save it anew as .odt or .txt",
)
RTF = DocumentFormat(
    name="RTF",
    key="rtf",
    endings=(".rtf",),
    magic=(b"{\\rtf",),
    extractor="lexiclass.extraction.rtf:extract_rtf",
    requires=("striprtf>=0.0.26",),
    way_out="save it anew as .docx or .txt",
)

_TABLE = "a table, no document; import it by itself, or save it as .csv"
_COMPRESSED = "unpack it first"

EXCEL = DocumentFormat(
    name="Excel workbook",
    endings=(".xlsx", ".xlsm", ".xlsb", ".xls"),
    requires=("python-calamine>=0.4",),
    way_out=_TABLE,
)
OPEN_SPREADSHEET = DocumentFormat(
    name="OpenDocument spreadsheet", endings=(".ods",), way_out=_TABLE
)
PARQUET = DocumentFormat(
    name="Parquet",
    endings=(".parquet",),
    magic=(b"PAR1",),
    requires=("pyarrow>=20.0",),
    way_out=_TABLE,
)
GZIP = DocumentFormat(
    name="gzip archive", endings=(".gz",), magic=(b"\x1f\x8b",), way_out="gunzip it first"
)
ZIP = DocumentFormat(
    name="zip archive",
    endings=(".zip",),
    magic=(b"PK\x03\x04", b"PK\x05\x06"),
    way_out="unzip it first",
)
TAR = DocumentFormat(
    name="tar archive", endings=(".tar", ".tgz", ".tbz2", ".txz"), way_out=_COMPRESSED
)
OLE = DocumentFormat(
    name="OLE file",
    endings=(".doc", ".ppt", ".msg"),
    magic=(b"\xd0\xcf\x11\xe0",),
    way_out="an old Word, Excel or Outlook file, or one with a password; save it anew as .docx, "
    ".csv or .eml",
)
POWERPOINT = DocumentFormat(
    name="PowerPoint presentation",
    endings=(".pptx", ".ppsx", ".odp"),
    way_out="save it as PDF or text",
)
EPUB = DocumentFormat(
    name="EPUB book", endings=(".epub",), way_out="save it as HTML or text, e.g. with pandoc"
)

#: In the order in which the beginning of a file is compared; what is named by nothing but its
#: ending comes in any order.
FORMATS = (
    PDF, RTF, OLE, GZIP, PARQUET, EMAIL, MAILBOX, HTML, MARKDOWN, DOCX, ODT, EXCEL,
    OPEN_SPREADSHEET, POWERPOINT, EPUB, ZIP, TAR,
    DocumentFormat(
        name="bzip2 file", endings=(".bz2",), magic=(b"BZh",), way_out=_COMPRESSED
    ),
    DocumentFormat(
        name="xz file", endings=(".xz",), magic=(b"\xfd7zXZ\0",), way_out=_COMPRESSED
    ),
    DocumentFormat(
        name="Zstandard file", endings=(".zst",), magic=(b"\x28\xb5\x2f\xfd",), way_out=_COMPRESSED
    ),
    DocumentFormat(
        name="7z archive", endings=(".7z",), magic=(b"7z\xbc\xaf\x27\x1c",), way_out=_COMPRESSED
    ),
    DocumentFormat(
        name="RAR archive", endings=(".rar",), magic=(b"Rar!\x1a\x07",), way_out=_COMPRESSED
    ),
    DocumentFormat(
        name="picture",
        endings=(
            ".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".heic",
        ),
        magic=(
            b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*",
        ),
        way_out="recognise its text first, e.g. with tesseract",
    ),
    DocumentFormat(
        name="sound or film",
        endings=(".mp3", ".m4a", ".wav", ".ogg", ".flac", ".mp4", ".mov", ".avi", ".mkv", ".webm"),
        magic=(b"ID3", b"OggS", b"fLaC", b"\x1aE\xdf\xa3"),
        way_out="transcribe it first",
    ),
    DocumentFormat(
        name="SQLite database",
        endings=(".sqlite", ".sqlite3"),
        magic=(b"SQLite format 3\0",),
        way_out="export its table as .csv",
    ),
    DocumentFormat(
        name="program", magic=(b"\x7fELF", b"\xcf\xfa\xed\xfe"), way_out="remove it"
    ),
)  # fmt: skip

#: Whose files are text that only whoever wrote it can tell from other text.
TEXT_FORMATS = frozenset({EMAIL, MAILBOX, HTML, MARKDOWN})

#: Those whose files become documents.
DOCUMENT_FORMATS = tuple(found for found in FORMATS if found.extractor)
