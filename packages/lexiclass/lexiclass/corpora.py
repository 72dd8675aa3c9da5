"""Labelled texts as people keep them: folders, tables, JSON lines.

Three forms are understood:

- a folder with a folder per class;
- a folder of .txt files with a table of labels beside them: labels.csv or labels.tsv with the
  columns id, label and, if wanted, split;
- one .csv, .tsv or .jsonl file with text, label and, if wanted, split and id.

Where no labels are needed, to predict or to index, the columns of labels may be missing and a
folder may hold nothing but .txt files.

Records are yielded one at a time, a refused one as a :class:`Refusal`, so that a corpus larger
than memory can be read and one bad row costs one row.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lexiclass.errors import DocumentUnreadable, InvalidParameters
from lexiclass.io import DEFAULT_MAX_BYTES, DocumentLoader, decode

Split = Literal["train", "test"]

_LABEL_FILES: Final = ("labels.tsv", "labels.csv")
_SPLITS: Final[Mapping[str, Split]] = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
}  # fmt: skip
_ENCODING_SAMPLE_BYTES: Final = 2**20
# Names of classes go into indexes of databases: PostgreSQL's takes 2,704 bytes, 4 for a character.
_LONGEST_LABEL: Final = 500
# In UTF-16 and UTF-32 a line ends within 4 bytes, at a multiple of 2 or 4.
_WIDE_MARKS: Final = (
    codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One document.

    Attributes:
        text: Its content.
        label: Its class; None for a document to be predicted.
        split: Whether to learn from it or to test with it; None where that is undecided.
        where: File, and line if there are several in one.
        id: What the column id or, in a folder of .txt files, its name says; None where there is
            neither.
    """

    text: str
    label: str | None
    split: Split | None
    where: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that can't be used, and why.

    Attributes:
        where: File, and line if there are several in one.
        reason: For people.
    """

    where: str
    reason: str


Record = LabelledText | Refusal


def read_corpus(
    path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, labelled: bool = True
) -> Iterator[Record]:
    """Read whatever form of corpus lies at a path.

    Args:
        path: A folder or a file.
        max_bytes: Largest document that is accepted, in bytes. It also becomes the largest field
            the :mod:`csv` module of this process reads.
        labelled: Whether a corpus without any labels is refused.

    Raises:
        InvalidParameters: If it is none that is understood.
        DocumentUnreadable: If a table is no text.
    """
    csv.field_size_limit(max_bytes)
    if not path.exists():
        raise InvalidParameters(f"{path} does not exist")
    if path.is_dir():
        labels = next((path / name for name in _LABEL_FILES if (path / name).is_file()), None)
        if labels is not None:
            return _texts_with_labels(path, labels, max_bytes)
        if any(child.is_dir() for child in path.iterdir()):
            return _class_folders(path, max_bytes)
        if not labelled:
            return _texts(path, max_bytes)
        raise InvalidParameters(
            f"{path} holds neither a folder per class nor labels.csv or labels.tsv"
        )
    match path.suffix.lower():
        case ".csv" | ".tsv":
            needed = ("text", "label") if labelled else ("text",)
            return _rows(_table(path, needed), max_bytes)
        case ".jsonl" | ".ndjson":
            return _rows(_json_lines(path), max_bytes)
        case suffix:
            raise InvalidParameters(
                f"{path.name}: expected a folder, or a .csv, .tsv or .jsonl file, found "
                f"{suffix or 'no ending'}"
            )


def split_of(text: LabelledText, test_fraction: float) -> Split:
    """Return what a document is for, where need be by a hash of its text.

    Neither chance nor position decide: another reading of the same data splits the same.

    Args:
        text: The document.
        test_fraction: Share of the documents without a split that become test data.
    """
    if text.split is not None:
        return text.split
    digest = hashlib.blake2b(text.text.encode(), digest_size=8).digest()
    return "train" if int.from_bytes(digest) / 2**64 >= test_fraction else "test"


def _class_folders(path: Path, max_bytes: int) -> Iterator[Record]:
    loader = _Loader(path, max_bytes)
    for folder in sorted(child for child in path.iterdir() if _is_visible(child)):
        if not folder.is_dir():
            yield Refusal(_name(folder), "a file beside the class folders")
            continue
        for file in sorted(child for child in folder.rglob("*") if _is_visible(child)):
            if file.is_file():
                where = _name(file, path)
                yield loader.load(file, label=_name(folder), where=where)


def _texts(path: Path, max_bytes: int) -> Iterator[Record]:
    loader = _Loader(path, max_bytes)
    for file in sorted(path.glob("*.txt")):
        yield loader.load(file, where=_name(file), name=file.stem)


def _texts_with_labels(path: Path, labels: Path, max_bytes: int) -> Iterator[Record]:
    loader = _Loader(path, max_bytes)
    labelled: set[str] = set()
    for where, row in _table(labels, ("id", "label")):
        if isinstance(row, str):
            yield Refusal(where, row)
            continue
        name = (row["id"] or "").strip().removesuffix(".txt")
        # A name with a path in it could lead anywhere on this machine.
        if not name or Path(name).name != name:
            yield Refusal(where, f"the id {name!r} names no file of the folder")
            continue
        if name in labelled:
            yield Refusal(where, f"the id {name!r} was there before")
            continue
        labelled.add(name)
        checked = _label_and_split(row, where)
        if isinstance(checked, Refusal):
            yield checked
            continue
        label, split = checked
        file = path / f"{name}.txt"
        yield loader.load(file, label=label, split=split, where=where, name=name)
    for file in sorted(path.glob("*.txt")):
        if file.stem not in labelled:
            yield loader.load(file, where=_name(file), name=file.stem)


def _rows(rows: Iterable[tuple[str, Mapping[str, Any] | str]], max_bytes: int) -> Iterator[Record]:
    for where, row in rows:
        if isinstance(row, str):
            yield Refusal(where, row)
            continue
        checked = _label_and_split(row, where)
        text = row.get("text")
        if isinstance(checked, Refusal):
            yield checked
        elif not isinstance(text, str):
            yield Refusal(where, "no text" if text is None else "the text is no string")
        elif len(text.encode("utf-8", "surrogatepass")) > max_bytes:
            yield Refusal(where, "too large")
        else:
            name = row.get("id")
            yield _accept(text, *checked, where, None if name is None else str(name).strip())


def _label_and_split(
    row: Mapping[str, Any], where: str
) -> tuple[str | None, Split | None] | Refusal:
    label, split = row.get("label"), row.get("split")
    if label is not None and not isinstance(label, str | int | float):
        return Refusal(where, "the label is neither text nor a number")
    name = "" if split is None else str(split).strip().lower()
    if name and name not in _SPLITS:
        return Refusal(where, f"the split is {name!r}: expected train or test")
    return (str(label).strip() or None if label is not None else None), _SPLITS.get(name)


class _Loader:
    """Reads the files of a corpus, and none outside of it."""

    def __init__(self, corpus: Path, max_bytes: int) -> None:
        self._corpus = corpus.resolve()
        self._loader = DocumentLoader(max_bytes=max_bytes)

    def load(
        self,
        file: Path,
        *,
        where: str,
        label: str | None = None,
        split: Split | None = None,
        name: str | None = None,
    ) -> Record:
        # A corpus from elsewhere may bring a link to any file of this machine.
        if not file.resolve().is_relative_to(self._corpus):
            return Refusal(where, "a link that leads out of the corpus")
        try:
            document = self._loader.load(where, file)
        except DocumentUnreadable as error:
            return Refusal(where, error.reason)
        return _accept(document.text, label, split, where, name)


def _accept(
    text: str, label: str | None, split: Split | None, where: str, name: str | None
) -> Record:
    if not text.strip():
        return Refusal(where, "empty")
    if label is not None and len(label) > _LONGEST_LABEL:
        return Refusal(where, f"the label is longer than {_LONGEST_LABEL} characters")
    for part, value in (("text", text), ("label", label or "")):
        if reason := _unstorable(value):
            return Refusal(where, f"the {part} has a {reason}")
    return LabelledText(text, label, split, where, name or None)


def _unstorable(value: str) -> str:
    """Why a value fits in no file or column, or nothing."""
    if "\0" in value:
        return "NUL character, which no text has"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "lone surrogate, which no encoding can hold"
    return ""


def _name(path: Path, base: Path | None = None) -> str:
    """A name that can be shown and stored, also of a file whose name is no Unicode."""
    name = path.name if base is None else path.relative_to(base).as_posix()
    return name.encode("utf-8", "backslashreplace").decode()


def _table(
    path: Path, needed: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, str | None] | str]]:
    """Rows by lower-case column name, or the reason why one cannot be used."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding=_encoding_of(path), newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in needed if name not in header]:
            raise InvalidParameters(
                f"{path.name} has no column {' and no column '.join(missing)}: its first line is "
                f"{', '.join(header)[:200] or 'empty'}; expected {', '.join(needed)} and, if "
                "wanted, split"
            )
        yield from _table_rows(reader, header, path.name)


def _table_rows(
    reader: Any, header: list[str], name: str
) -> Iterator[tuple[str, dict[str, str | None] | str]]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            yield f"{name}:{reader.line_num}", f"not readable as a table: {error}"
            if isinstance(error, UnicodeDecodeError):
                return  # a decoder that has failed cannot go on
            continue
        where = f"{name}:{reader.line_num}"
        if len(row) > len(header):
            yield where, f"has {len(row)} columns, the first line has {len(header)}"
        elif row:
            padded = [*row, *[None] * (len(header) - len(row))]
            yield where, dict(zip(header, padded, strict=True))


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield where, f"no JSON: {error}"
                continue
            yield where, row if isinstance(row, dict) else "no JSON object"


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(_ENCODING_SAMPLE_BYTES)
    if len(sample) == _ENCODING_SAMPLE_BYTES:
        # A character cut in two at the end of the sample is no sign of another encoding.
        end = sample.rfind(b"\n") + 1
        end -= end % -4 if sample.startswith(_WIDE_MARKS) else 0
        sample = sample[:end] or sample
    try:
        _, encoding = decode(sample)
    except DocumentUnreadable as error:
        raise InvalidParameters(f"{path.name} is no table of text: {error.reason}") from error
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".")
