"""What a source of records gives, and what it is made of.

A source is a function that yields a :class:`SourceRecord` or a :class:`~lexiclass.corpora.Refusal`
for each record it finds, one at a time and in order. It knows a form (a table, JSON, a folder) and
nothing of labels, splits or the size of a document: :mod:`lexiclass.corpora.interpretation` makes
documents of its records. :data:`lexiclass.corpora.reading.FILE_SOURCES` names the source of each
ending.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, Self

from lexiclass.corpora.columns import Columns
from lexiclass.corpora.records import Refusal


class SourceRecord(NamedTuple):
    """One record as its source has it.

    Attributes:
        where: File, and line if there are several in one.
        values: What it holds, by the name of the column or key as the source writes it.
        encoding: What its bytes were decoded with; None where its source knows no bytes.
        remarks: See :class:`~lexiclass.corpora.LabelledText`.
        metadata: JSON values to keep with the document, besides its source and id.
    """

    where: str
    values: Mapping[str, Any]
    encoding: str | None = None
    remarks: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of records, on the disk or inside an archive, opened at its beginning each time."""

    name: str
    open: Callable[[], BinaryIO]

    @classmethod
    def at(cls, path: Path, name: str | None = None) -> Self:
        """The file at a path; records call it by its own name, if by no other."""
        return cls(name or shown_name(path), lambda: path.open("rb"))

    @property
    def suffix(self) -> str:
        """Its ending, in small letters, with the dot."""
        return PurePath(self.name).suffix.lower()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a source.

    Attributes:
        columns: Which column or key is what.
        labelled: Whether a source that can have no labels is refused.
        max_bytes: Largest document that is accepted, in bytes.
        texts_needed: Whether a record without a text is refused; else one with an id tells the
            labels of a document that is known from elsewhere.
        document_format: See :func:`~lexiclass.corpora.read_corpus`.
    """

    columns: Columns
    labelled: bool
    max_bytes: int
    texts_needed: bool = True
    document_format: str | None = None


@contextmanager
def on_disk(file: SourceFile) -> Iterator[BinaryIO]:
    """Open a file that has to have a descriptor; what is in an archive is unpacked for it."""
    with file.open() as opened:
        try:
            opened.fileno()
        except OSError:
            with TemporaryFile(prefix="lexiclass-") as copy:
                shutil.copyfileobj(opened, copy)
                copy.flush()
                copy.seek(0)
                yield copy
            return
        yield opened


FileSource = Callable[[SourceFile, Wanted], Iterator[SourceRecord | Refusal]]


def shown_name(path: PurePath, base: PurePath | None = None) -> str:
    """A name that can be shown and stored, also of a file whose name is no Unicode."""
    name = path.name if base is None else path.relative_to(base).as_posix()
    return name.encode("utf-8", "backslashreplace").decode()
