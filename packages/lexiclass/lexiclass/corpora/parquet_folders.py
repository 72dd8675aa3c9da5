"""Folders of Parquet files, each a split or a part of one, as data sets of Hugging Face are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from lexiclass.corpora.columns import shown_names
from lexiclass.corpora.parquet import read_parquet
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted, shown_name
from lexiclass.corpora.splits import named_split
from lexiclass.corpora.walking import leads_out, walk
from lexiclass.errors import InvalidParameters
from lexiclass.extraction.formats import PARQUET

# What says something of a data set, by its name without the ending.
_ABOUT: Final = frozenset({
    "readme", "license", "citation", "dataset_dict", "dataset_info", "dataset_infos",
})  # fmt: skip
# Of train-00000-of-00002.parquet, say.
_FIRST_WORD: Final = re.compile(r"[^\W\d_]*")


def is_of_parquet(path: Path) -> bool:
    """Whether a folder holds Parquet files, and nothing else but what is about them."""
    found = False
    for file in walk(path):
        if _is_parquet(file):
            found = True
        elif file.stem.lower() not in _ABOUT:
            return False
    return found


def read_parquet_folder(
    path: Path, wanted: Wanted, where: Callable[[Path], str]
) -> Iterator[SourceRecord | Refusal]:
    """Read the rows of all Parquet files of a folder; the names of files or folders are splits.

    Ids begin with the split that a name says, as those of a split may be those of another.

    Raises:
        InvalidParameters: If a file can't be read, or they are of several data sets.
    """
    files = [file for file in walk(path) if _is_parquet(file)]
    _require_one_set(path, files)
    splits = {file: _split_of(file, path) for file in files}
    for file in walk(path):
        if file not in splits:
            yield Refusal(where(file), "a file beside the Parquet files")
        elif leads_out(file, path):
            yield Refusal(where(file), "a link that leads out of the corpus")
        elif (split := splits[file]) is None and any(splits.values()):
            yield Refusal(
                where(file), "its name is of no split, as those of others are; read it by itself"
            )
        else:
            yield from _rows(SourceFile.at(file, where(file)), split, wanted)


def _rows(file: SourceFile, split: str | None, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    columns = wanted.columns
    for row in read_parquet(file, wanted):
        if split is None or isinstance(row, Refusal):
            yield row
            continue
        found = columns.find(tuple(row.values))
        values = dict(row.values)
        if found.split is None:
            values[columns.split or "split"] = split
        if found.id is not None and values[found.id] is not None:
            values[found.id] = f"{split}/{values[found.id]}"
        yield row._replace(values=values)


def _require_one_set(path: Path, files: list[Path]) -> None:
    folders = {file.parent for file in files}
    sets = {folder.parent if named_split(folder.name) else folder for folder in folders}
    if len(sets) > 1:
        names = [shown_name(folder, path) for folder in sorted(sets)]
        raise InvalidParameters(
            f"{path} has Parquet files in several folders, {shown_names(names)}: expected those of "
            "one data set; read one of the folders"
        )


def _split_of(file: Path, path: Path) -> str | None:
    """The split that a file, or the folder around it, is called after."""
    names = [_FIRST_WORD.match(file.stem)]
    if file.parent != path:
        names.append(_FIRST_WORD.match(file.parent.name))
    return next((name[0] for name in names if name and named_split(name[0])), None)


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() in PARQUET.endings
