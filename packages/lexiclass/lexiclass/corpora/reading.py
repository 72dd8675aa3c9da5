"""Reading a corpus, in whatever form it lies there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lexiclass.corpora.columns import Columns
from lexiclass.corpora.folders import read_folder
from lexiclass.corpora.interpretation import Interpreter
from lexiclass.corpora.json_records import read_json
from lexiclass.corpora.records import Record
from lexiclass.corpora.sources import FileSource, SourceFile, Wanted, shown_name
from lexiclass.corpora.tables import read_table
from lexiclass.errors import InvalidParameters
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


def read_corpus(
    path: Path,
    *,
    columns: Columns | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    labelled: bool = True,
    texts_needed: bool = True,
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

    Raises:
        InvalidParameters: If it is none that is understood, before or while it is read.
    """
    wanted = Wanted(columns or Columns(), labelled, max_bytes, texts_needed)
    if not path.exists():
        raise InvalidParameters(f"{path} does not exist")
    if path.is_dir():
        records = read_folder(path, wanted)
    else:
        records = source_of(SourceFile.at(path))(SourceFile.at(path), wanted)
    return Interpreter(wanted).read(records, shown_name(path))


def source_of(file: SourceFile) -> FileSource:
    """Return what reads a file, by its ending.

    Raises:
        InvalidParameters: If nothing does.
    """
    source = FILE_SOURCES.get(file.suffix)
    if source is None:
        *known, last = FILE_SOURCES
        raise InvalidParameters(
            f"{file.name}: expected a folder, or a {', '.join(known)} or {last} file, found "
            f"{file.suffix or 'no ending'}"
        )
    return source
