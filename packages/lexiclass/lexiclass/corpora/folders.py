"""Folders of documents: a folder per class, or files with a table of labels beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lexiclass.corpora.columns import Columns, FoundColumns
from lexiclass.corpora.documents import DocumentReader, FileDocument, UnreadableFile
from lexiclass.corpora.records import REPLACED_BYTES, Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted, shown_name
from lexiclass.corpora.tables import read_table
from lexiclass.errors import InvalidParameters
from lexiclass.extraction import DOCUMENT_FORMATS

_DOCUMENT_ENDINGS: Final = {".txt"}.union(*(known.endings for known in DOCUMENT_FORMATS))
_LABEL_FILES: Final = ("labels.tsv", "labels.csv")


def read_folder(path: Path, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read the documents of a folder.

    Args:
        path: The folder.
        wanted: What is wanted of it.

    Raises:
        InvalidParameters: If it has labels in none of the forms that are understood.
    """
    if (labels := _table_of_labels(path)) is not None:
        return _texts_with_labels(path, labels, wanted)
    if _has_folders(path):
        return _class_folders(path, wanted)
    if not wanted.labelled:
        return _texts(path, wanted)
    raise InvalidParameters(f"{path} holds neither a folder per class nor labels.csv or labels.tsv")


def is_corpus(path: Path) -> bool:
    """Whether a folder tells the labels of its documents."""
    return _table_of_labels(path) is not None or _has_folders(path)


def _table_of_labels(path: Path) -> Path | None:
    return next((path / name for name in _LABEL_FILES if (path / name).is_file()), None)


def _has_folders(path: Path) -> bool:
    return any(child.is_dir() for child in path.iterdir() if is_visible(child))


def is_visible(path: Path) -> bool:
    """Whether a file or folder is meant to be seen."""
    return not path.name.startswith(".")


def _class_folders(path: Path, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    with DocumentReader(wanted.max_bytes) as reader:
        loader = _Loader(path, wanted, reader)
        for folder in sorted(child for child in path.iterdir() if is_visible(child)):
            if not folder.is_dir():
                yield Refusal(shown_name(folder), "a file beside the class folders")
                continue
            for file in sorted(child for child in folder.rglob("*") if is_visible(child)):
                if file.is_file():
                    where = shown_name(file, path)
                    yield from loader.load(file, where=where, id=where, label=shown_name(folder))


def _texts(path: Path, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    with DocumentReader(wanted.max_bytes) as reader:
        loader = _Loader(path, wanted, reader)
        for file in _files(path):
            yield from loader.load(file, where=shown_name(file), id=_id_of(file))


def _texts_with_labels(
    path: Path, labels: Path, wanted: Wanted
) -> Iterator[SourceRecord | Refusal]:
    with DocumentReader(wanted.max_bytes) as reader:
        yield from _labelled_texts(path, labels, wanted, _Loader(path, wanted, reader))


def _labelled_texts(
    path: Path, labels: Path, wanted: Wanted, loader: _Loader
) -> Iterator[SourceRecord | Refusal]:
    named = _by_name(path)
    labelled: set[str] = set()
    read: set[Path] = set()
    # Here the id names the file, which is the text.
    columns = wanted.columns
    id_column = columns.id or "id"
    table = Columns(text=id_column, labels=columns.labels, split=columns.split, id="")
    rows = read_table(SourceFile.at(labels), Wanted(table, wanted.labelled, wanted.max_bytes))
    for row in rows:
        if isinstance(row, Refusal):
            yield row
            continue
        found = table.find(list(row.values))
        name = str(row.values.get(found.text or "") or "").strip().removesuffix(".txt")
        # A name with a path in it could lead anywhere on this machine.
        if not name or Path(name).name != name:
            yield Refusal(row.where, f"the id {name!r} names no file of the folder")
            continue
        if name in labelled:
            yield Refusal(row.where, f"the id {name!r} was there before")
            continue
        labelled.add(name)
        file = named.get(name, path / f"{name}.txt")
        read.add(file)
        yield from loader.load(file, where=row.where, id=name, row=(row, found))
    for file in sorted(set(named.values()) - read):
        yield from loader.load(file, where=shown_name(file), id=_id_of(file))


def _by_name(path: Path) -> dict[str, Path]:
    """The documents of a folder by what a table may call them: with or without their ending."""
    documents = [file for file in _files(path) if file.suffix.lower() in _DOCUMENT_ENDINGS]
    named = {file.stem: file for file in documents if file.suffix != ".txt"}
    named |= {file.stem: file for file in documents if file.suffix == ".txt"}
    return named | {file.name: file for file in documents}


def _files(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if is_visible(child) and child.is_file())


def _id_of(file: Path) -> str:
    return shown_name(file).removesuffix(".txt")


class _Loader:
    """Reads the files of a corpus, and none outside of it."""

    def __init__(self, corpus: Path, wanted: Wanted, reader: DocumentReader) -> None:
        self._corpus = corpus.resolve()
        self._columns = wanted.columns
        self._reader = reader

    def load(
        self,
        file: Path,
        *,
        where: str,
        id: str,  # noqa: A002
        label: str | None = None,
        row: tuple[SourceRecord, FoundColumns] | None = None,
    ) -> Iterator[SourceRecord | Refusal]:
        # A corpus from elsewhere may bring a link to any file of this machine.
        if not file.resolve().is_relative_to(self._corpus):
            yield Refusal(where, "a link that leads out of the corpus")
            return
        for document in self._reader.read(file):
            part = "" if document.line is None else f":{document.line}"
            if isinstance(document, UnreadableFile):
                yield Refusal(where + part, document.reason)
            else:
                yield self._record(document, where + part, id + part, label, row)

    def _record(
        self,
        document: FileDocument,
        where: str,
        id: str,  # noqa: A002
        label: str | None,
        row: tuple[SourceRecord, FoundColumns] | None,
    ) -> SourceRecord:
        columns = self._columns
        values: dict[str, Any] = {columns.text: document.text, columns.id or "id": id}
        values |= dict.fromkeys(columns.labels.values(), label)
        if row is not None:
            record, found = row
            for field, column in found.labels.items():
                values[columns.labels[field]] = record.values.get(column or "")
            values[columns.split or "split"] = record.values.get(found.split or "")
        remarks = (REPLACED_BYTES,) if document.num_replaced else ()
        return SourceRecord(where, values, document.encoding, remarks, document.metadata)
