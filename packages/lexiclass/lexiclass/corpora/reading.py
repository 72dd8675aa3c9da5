"""Reading a corpus, in whatever form it lies there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from lexiclass.corpora.archives import gunzipped
from lexiclass.corpora.columns import Columns
from lexiclass.corpora.documents import FORCED_FORMATS
from lexiclass.corpora.exports.records import read_exports
from lexiclass.corpora.folders import is_corpus, read_folder
from lexiclass.corpora.interpretation import Interpreter
from lexiclass.corpora.json_records import read_json
from lexiclass.corpora.parquet import read_parquet
from lexiclass.corpora.records import Record, Refusal
from lexiclass.corpora.single_documents import read_document
from lexiclass.corpora.sources import FileSource, SourceFile, SourceRecord, Wanted, shown_name
from lexiclass.corpora.splits import named_split
from lexiclass.corpora.tables import read_table
from lexiclass.corpora.tars import TarCorpus
from lexiclass.corpora.test_sets import for_testing, for_training
from lexiclass.corpora.workbooks import read_workbook
from lexiclass.corpora.zips import ZipCorpus
from lexiclass.errors import InvalidParameters
from lexiclass.extraction import DOCUMENT_FORMATS, HEAD_BYTES, DocumentFormat, recognise
from lexiclass.extraction.formats import (
    EXCEL,
    GZIP,
    MAILBOX,
    OPEN_SPREADSHEET,
    PARQUET,
    TAR,
    TEXT_FORMATS,
    ZIP,
)
from lexiclass.io import DEFAULT_MAX_BYTES

#: The source of each ending.
FILE_SOURCES: Final[Mapping[str, FileSource]] = MappingProxyType(
    {
        ".csv": read_table,
        ".tsv": read_table,
        ".txt": read_table,
        ".jsonl": read_json,
        ".ndjson": read_json,
        ".json": read_json,
    }
)

_FORMAT_SOURCES: Final[Mapping[DocumentFormat, FileSource]] = MappingProxyType(
    {
        EXCEL: read_workbook,
        OPEN_SPREADSHEET: read_workbook,
        PARQUET: read_parquet,
        MAILBOX: read_document,
        **dict.fromkeys(DOCUMENT_FORMATS, read_document),
    }
)


_ARCHIVES: Final[Mapping[DocumentFormat | None, Callable[[SourceFile], ZipCorpus | TarCorpus]]] = (
    MappingProxyType({ZIP: ZipCorpus, TAR: TarCorpus})
)


def read_corpus(
    path: Path,
    *,
    columns: Columns | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    labelled: bool = True,
    texts_needed: bool = True,
    test: Path | None = None,
    document_format: str | None = None,
) -> Iterator[Record]:
    """Read whatever form of corpus lies at a path.

    Args:
        path: A folder or a file.
        columns: Which column or key is what; by default text, label, split and id.
        max_bytes: Largest document that is accepted, in bytes. It also becomes the largest field
            the :mod:`csv` module of this process reads.
        labelled: Whether a corpus without any labels is refused.
        texts_needed: Whether records without a text are refused; else those of a file that have an
            id are given with an empty one.
        test: A folder or a file of documents to test with, read after the others. Those at ``path``
            are to learn from then, but for those that say something else.
        document_format: What the files of a folder are in that could be plain text: email, html or
            markdown; or text, to take the source of such as it is. None to recognise it.

    Raises:
        InvalidParameters: If it is none that is understood, before or while it is read.
    """
    if document_format is not None and document_format not in FORCED_FORMATS:
        raise InvalidParameters(
            f"the format is {document_format!r}: expected {', '.join(FORCED_FORMATS)}"
        )
    wanted = Wanted(columns or Columns(), labelled, max_bytes, texts_needed, document_format)
    records = _read(path, wanted)
    if test is None:
        return records
    return chain(for_training(records), for_testing(_read(test, wanted), test))


def _read(path: Path, wanted: Wanted) -> Iterator[Record]:
    if not path.exists():
        raise InvalidParameters(f"{path} does not exist")
    if not (path.is_dir() or path.is_file()):
        # A pipe waits for a writer, and a device can be without end.
        raise InvalidParameters(f"{path} is neither a folder nor a file: save it to a file first")
    file = SourceFile.at(path)
    records = read_folder(path, wanted) if path.is_dir() else read_file(file, wanted)
    exported = read_exports(_unchanged(path, records), wanted.columns)
    return Interpreter(wanted).read(exported, shown_name(path))


def _unchanged(
    path: Path, records: Iterable[SourceRecord | Refusal]
) -> Iterator[SourceRecord | Refusal]:
    """Give the records of a file, which is read more than once, and refuse it if it was changed."""
    before = path.stat()
    yield from records
    after = path.stat()
    is_same = (before.st_ino, before.st_size, before.st_mtime_ns) == (
        after.st_ino, after.st_size, after.st_mtime_ns,
    )  # fmt: skip
    if path.is_file() and not is_same:
        raise InvalidParameters(f"{path} was changed while it was read; read it again")


def read_file(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read a file of records, unpacked where it is compressed.

    Raises:
        InvalidParameters: If it is in no form that is understood.
    """
    found = _format_of(file)
    if found is GZIP:
        file = gunzipped(file)
        found = _format_of(file)
        if found in {GZIP, ZIP}:
            raise InvalidParameters(f"{file.name}: an archive inside another; unpack it first")
    if found in _ARCHIVES:
        return _read_archive(file, _ARCHIVES[found], wanted)
    return _source_of(file, found, wanted)(file, wanted)


def _format_of(file: SourceFile) -> DocumentFormat | None:
    """Return the format of a file that is no table of text and no JSON."""
    with file.open() as opened:
        data = opened.read(HEAD_BYTES)
        if opened.seekable():
            end = opened.seek(0, os.SEEK_END)
            opened.seek(max(len(data), end - HEAD_BYTES))
            data += opened.read()
    found = recognise(file.name, data)
    # What a table or a JSON file begins with may look like a message or a page.
    return None if found in TEXT_FORMATS and file.suffix in FILE_SOURCES else found


def _source_of(file: SourceFile, found: DocumentFormat | None, wanted: Wanted) -> FileSource:
    """Return what reads a file, by its format or else by its ending; it may have to have labels."""
    if wanted.labelled and found is MAILBOX:
        raise _unexpected(
            file,
            "a mailbox, the messages of which have no labels: put a mailbox for each class into a "
            "folder per class, or take it without with --unlabelled",
        )
    if wanted.labelled and found in DOCUMENT_FORMATS:
        raise _unexpected(
            file,
            f"one document ({found.name}), which has no label: put documents into a folder per "
            "class, or into a folder with labels.csv",
        )
    source = FILE_SOURCES.get(file.suffix) if found is None else _FORMAT_SOURCES.get(found)
    if source is not None:
        return source
    raise _unexpected(file, "" if found is None else found.refusal)


def _unexpected(file: SourceFile, what: str) -> InvalidParameters:
    *known, last = FILE_SOURCES
    return InvalidParameters(
        f"{file.name}: expected a folder, or a {', '.join(known)} or {last} file, found "
        f"{', '.join(filter(None, (file.suffix or 'no ending', what)))}"
    )


def _read_archive(
    file: SourceFile, open_archive: Callable[[SourceFile], ZipCorpus | TarCorpus], wanted: Wanted
) -> Iterator[SourceRecord | Refusal]:
    with open_archive(file) as corpus:
        if (member := corpus.only_file) is not None:
            if (found := _format_of(member)) in {GZIP, *_ARCHIVES}:
                raise InvalidParameters(
                    f"{member.name}: an archive inside another; unpack it first"
                )
            yield from _source_of(member, found, wanted)(member, wanted)
            return
        with TemporaryDirectory(prefix="lexiclass-archive-") as name:
            folder = Path(name)
            yield from corpus.unpack(folder)
            try:
                yield from read_folder(_top(folder), wanted)
            except InvalidParameters as error:
                # Nobody knows the folder that it was unpacked into.
                raise InvalidParameters(error.message.replace(name, file.name)) from error


def _top(folder: Path) -> Path:
    """The innermost folder that holds all that an archive does."""
    children = list(folder.iterdir())
    while len(children) == 1 and children[0].is_dir():
        (child,) = children
        # A folder that is no corpus is one of a class.
        if not is_corpus(child) or named_split(child.name) is not None:
            break
        folder, children = child, list(child.iterdir())
    return folder
