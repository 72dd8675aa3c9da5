"""Folders: a folder per class, documents with a table of labels beside them, or Parquet files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from lexiclass.corpora.columns import Columns, shown_names
from lexiclass.corpora.documents import DocumentReader
from lexiclass.corpora.folder_loading import FolderLoader
from lexiclass.corpora.labels import UnusableLabel, class_name
from lexiclass.corpora.parquet_folders import is_of_parquet, read_parquet_folder
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.shared_code_page import SharedCodePage
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted, shown_name
from lexiclass.corpora.splits import named_split
from lexiclass.corpora.tables import read_table
from lexiclass.corpora.walking import visible_children, walk
from lexiclass.errors import InvalidParameters, listed
from lexiclass.extraction import DOCUMENT_FORMATS

_DOCUMENT_ENDINGS: Final = {".txt"}.union(*(known.endings for known in DOCUMENT_FORMATS))
# What could be a document as well: workbooks and Parquet files are none.
_TABLE_ENDINGS: Final = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson"})
_LABEL_FILES: Final = ("labels.tsv", "labels.csv")
# Of a file, in bytes; to order the marks upon letters takes a time that grows with their square.
_LONGEST_NAME: Final = 1_000
_WORD: Final = re.compile(r"[-_. ]+")
_Form = Callable[[Path, "FolderLoader"], Iterator[SourceRecord | Refusal]]


def read_folder(path: Path, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read the documents of a folder.

    Raises:
        InvalidParameters: If it has labels in none of the forms that are understood, or for one
            field where there are several.
    """
    read = _form_of(path, wanted)
    code_page = SharedCodePage(lambda: walk(path))
    with DocumentReader(wanted.max_bytes, code_page, wanted.document_format) as reader:
        yield from read(path, FolderLoader(path, wanted, reader))


def _form_of(path: Path, wanted: Wanted) -> _Form:
    if _labels_of(path) is not None:
        return _labelled_texts
    if is_of_parquet(path):
        return _parquet_rows
    children = visible_children(path)
    folders = [child for child in children if child.is_dir()]
    if not folders:
        if not wanted.labelled:
            return _texts
        raise InvalidParameters(
            f"{path} holds neither a folder per class nor labels.csv or labels.tsv"
        )
    if len(wanted.columns.labels) > 1:
        raise InvalidParameters(
            f"{path}: a folder per class has labels for one field, not for "
            f"{', '.join(wanted.columns.labels)}"
        )
    if _are_splits(path, folders):
        return _split_folders
    if len(children) == 1:
        _refuse_tables(path, folders[0])
    return _class_folders


def _refuse_tables(path: Path, folder: Path) -> None:
    """Refuse a folder that is all of a corpus and holds tables: neither is it a class then."""
    files = ((child, child.name.lower().removesuffix(".gz")) for child in _files(folder))
    tables = [shown_name(child) for child, name in files if Path(name).suffix in _TABLE_ENDINGS]
    if tables:
        raise InvalidParameters(
            f"{path} holds one folder, {shown_name(folder)}, with tables in it, "
            f"{listed(tables)}: no class of documents; give the table of the documents itself, "
            "that of a test set with --test, or put documents into a folder per class"
        )


def is_corpus(path: Path) -> bool:
    """Whether a folder tells the labels of its documents."""
    return _labels_of(path) is not None or any(map(Path.is_dir, visible_children(path)))


def _are_splits(path: Path, folders: list[Path]) -> bool:
    """Whether the folders of a corpus are train, test and the like, those of classes inside."""
    named = {shown_name(folder): named_split(_split_name(folder, folders)) for folder in folders}
    others = [name for name, split in named.items() if split is None]
    like_splits = [folder for folder in folders if named[shown_name(folder)] is not None]
    if others and ({"train", "test"} <= set(named.values()) or any(map(is_corpus, like_splits))):
        raise InvalidParameters(
            f"{path}: {shown_names(list(map(shown_name, like_splits)))}: folders of splits, "
            f"{shown_names(others)} beside them are none; call those of splits train, validation "
            "or test, and move those of classes into the splits"
        )
    if others or "train" not in named.values():
        return False
    for folder in folders:
        if not is_corpus(folder):
            raise InvalidParameters(
                f"{path}: {shown_names(list(named))} are folders of splits, not of classes; put a "
                f"folder per class, or labels.csv, into {shown_name(folder)}"
            )
    return True


def _split_name(folder: Path, beside: list[Path]) -> str:
    """The name of a folder, without the beginning that those of all splits of a corpus share.

    Of ``20news-bydate-train`` and ``20news-bydate-test``, say.
    """
    if len(beside) < 2:
        return folder.name
    words = [_WORD.split(each.name) for each in beside]
    is_shared = len({tuple(each[:-1]) for each in words}) == 1
    names = [each[-1] for each in words]
    if not is_shared or not all(map(named_split, names)) or not all(map(is_corpus, beside)):
        return folder.name
    return names[beside.index(folder)]


def _parquet_rows(path: Path, loader: FolderLoader) -> Iterator[SourceRecord | Refusal]:
    return read_parquet_folder(path, loader.wanted, loader.where)


def _split_folders(path: Path, loader: FolderLoader) -> Iterator[SourceRecord | Refusal]:
    children = visible_children(path)
    folders = [child for child in children if child.is_dir()]
    for child in children:
        inside = loader.within(_split_name(child, folders) if child.is_dir() else child.name)
        if not child.is_dir():
            yield Refusal(loader.where(child), "a file beside the folders of splits")
        elif _labels_of(child) is not None:
            yield from _labelled_texts(child, inside)
        else:
            yield from _class_folders(child, inside)


def _class_folders(path: Path, loader: FolderLoader) -> Iterator[SourceRecord | Refusal]:
    for child in visible_children(path):
        if not child.is_dir():
            yield Refusal(loader.where(child), "a file beside the class folders")
            continue
        label = shown_name(child)
        for file in [child] if child.is_symlink() else walk(child):
            where = loader.where(file)
            if _is_no_name(label):
                yield Refusal(where, "the name of its class folder is blank")
            else:
                yield from loader.load(file, where=where, id=where, label=label)


def _is_no_name(label: str) -> bool:
    try:
        return class_name(label) is None
    except UnusableLabel:  # whoever makes a document of it says why
        return False


def _texts(path: Path, loader: FolderLoader) -> Iterator[SourceRecord | Refusal]:
    for file in _files(path):
        yield from loader.load(file, where=loader.where(file), id=loader.id(file))


def _labels_of(path: Path) -> Path | None:
    found = [path / name for name in _LABEL_FILES if (path / name).is_file()]
    if len(found) > 1:
        raise InvalidParameters(
            f"{path} holds {' and '.join(_LABEL_FILES)}: expected one of them; take the other away"
        )
    return found[0] if found else None


def _labelled_texts(path: Path, loader: FolderLoader) -> Iterator[SourceRecord | Refusal]:
    labels = _labels_of(path)
    if labels is None:
        return
    named = _by_name(path)
    labelled: set[str] = set()
    read: set[Path] = set()
    # Here the id names the file, which is the text.
    wanted = loader.wanted
    columns = wanted.columns
    id_column = columns.id or "id"
    table = Columns(text=id_column, labels=columns.labels, split=columns.split, id="")
    source = replace(SourceFile.at(labels), name=loader.where(labels))
    rows = read_table(source, Wanted(table, wanted.labelled, wanted.max_bytes))
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
        file = named.get(name) or named.get(_composed(name), path / f"{name}.txt")
        read.add(file)
        yield from loader.load(file, where=row.where, id=loader.id(path / name), row=(row, found))
    unnamed = set(named.values()) - read
    for file in walk(path):
        if file in unnamed:
            yield from loader.load(file, where=loader.where(file), id=loader.id(file))
        elif file.parent != path:
            yield Refusal(
                loader.where(file), f"lies in a subfolder, where {labels.name} names no document"
            )


def _by_name(path: Path) -> dict[str, Path]:
    """The documents of a folder by what a table may call them: with or without their ending."""
    documents = [file for file in _files(path) if file.suffix.lower() in _DOCUMENT_ENDINGS]
    named = {file.stem: file for file in documents if file.suffix != ".txt"}
    named |= {file.stem: file for file in documents if file.suffix == ".txt"}
    named |= {file.name: file for file in documents}
    return {_composed(name): file for name, file in named.items()} | named


def _composed(name: str) -> str:
    """A file's name in the form NFC: macOS writes marks apart from their letters."""
    return name if len(name) > _LONGEST_NAME else unicodedata.normalize("NFC", name)


def _files(path: Path) -> list[Path]:
    return [child for child in visible_children(path) if not child.is_dir()]
