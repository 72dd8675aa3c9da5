"""JSON: an object a line, an array of objects, or objects one after the other on several lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from lexiclass.corpora.columns import folded
from lexiclass.corpora.json_values import NESTED_TOO_DEEPLY, NotJson, Twins, parse, stream
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted
from lexiclass.corpora.text_files import TextFile
from lexiclass.errors import InvalidParameters

# How many lines are looked at to tell objects a line from anything else.
_FIRST_LINES: Final = 100


def read_json(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read JSON objects.

    Where each is on a line of its own, one that is no JSON costs its line. Elsewhere nothing says
    where the next one begins, so the file is refused, naming the line.

    Args:
        file: Holds them.
        wanted: What is wanted of them.

    Raises:
        InvalidParameters: If it is no text, or no JSON in a form that goes over several lines.
    """
    text = TextFile.open(file, max_bytes=wanted.max_bytes)
    reader = _Reader(text, wanted)
    lines = ((number, line) for number, line in enumerate(text.lines(), start=1) if line.strip())
    first = list(islice(lines, _FIRST_LINES))
    if _is_an_object_a_line([line.strip() for _, line in first]):
        return reader.by_line(chain(first, lines))
    return reader.by_value()


def _is_an_object_a_line(first: list[str]) -> bool:
    if not first or first[0][0] not in "[{":
        return True  # nothing, or no JSON: which costs no more than its line
    value = _parsed(first[0])
    if isinstance(value, list):
        return len(first) > 1
    if value is not None:
        return True
    # An array or an object that goes on in the next line, or one that is broken.
    return first[0][0] == "{" != first[0] and any(isinstance(_parsed(line), dict) for line in first)


def _parsed(line: str) -> Any:
    try:
        return parse(line)
    except NotJson:
        return None


class _Reader:
    """Makes records of the values of a file."""

    def __init__(self, text: TextFile, wanted: Wanted) -> None:
        self._text = text
        columns = wanted.columns
        names = (columns.text, *columns.labels.values(), columns.split or "split")
        self._used = {folded(name) for name in (*names, columns.id or "id")}

    def by_line(self, lines: Iterable[tuple[int, str]]) -> Iterator[SourceRecord | Refusal]:
        """Read a value a line."""
        text = self._text
        for number, line in lines:
            where = f"{text.file.name}:{number}"
            mended, encoding, remark = (line, text.encoding, None)
            if text.has_bad_bytes and not line.isascii():
                mended, encoding, remark = text.mend(line)
            try:
                value = parse(mended)
            except NotJson as error:
                yield Refusal(where, f"no JSON: {error}")
            else:
                yield self._record(where, value, encoding, [remark] if remark else [])

    def by_value(self) -> Iterator[SourceRecord | Refusal]:
        """Read the elements of an array, or values one after the other."""
        text = self._text
        with text.text() as characters:
            try:
                for line, value in stream(characters, max_characters=text.max_line):
                    where = f"{text.file.name}:{line}"
                    remarks: list[str] = []
                    try:
                        mended = self._mend(value, remarks) if text.has_bad_bytes else value
                    except RecursionError:
                        yield Refusal(where, NESTED_TOO_DEEPLY)
                        continue
                    yield self._record(where, mended, text.encoding, remarks)
            except NotJson as error:
                raise InvalidParameters(f"{text.file.name} is no JSON: {error}") from error

    def _mend(self, value: Any, remarks: list[str]) -> Any:
        match value:
            case str():
                mended, _, remark = self._text.mend(value)
                if remark is not None:
                    remarks.append(remark)
                return mended
            case list():
                return [self._mend(each, remarks) for each in value]
            case dict():
                return {key: self._mend(each, remarks) for key, each in value.items()}
            case _:
                return value

    def _record(
        self, where: str, value: Any, encoding: str, remarks: list[str]
    ) -> SourceRecord | Refusal:
        if not isinstance(value, dict):
            return Refusal(where, "no JSON object")
        if isinstance(value, Twins):
            twice = [key for key in value.keys_twice if folded(key) in self._used]
            if twice:
                return Refusal(where, f"the key {twice[0]!r} is there twice")
        return SourceRecord(where, value, encoding, tuple(dict.fromkeys(remarks)))
