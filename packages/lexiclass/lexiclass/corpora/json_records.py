"""JSON: an object a line, an array of objects, or objects one after the other on several lines.

An array of which each object is on a line of its own is read line by line as well, and so are
objects with a comma behind each: a broken one costs its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from lexiclass.corpora.columns import folded
from lexiclass.corpora.json_values import (
    NESTED_TOO_DEEPLY,
    NotJson,
    Twins,
    Unreadable,
    parse,
    stream,
)
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted
from lexiclass.corpora.text_files import TextFile
from lexiclass.errors import InvalidParameters

# How many lines are looked at to tell objects a line from anything else.
_FIRST_LINES: Final = 100
_BETWEEN: Final = ", \t\r\n"


def read_json(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read JSON objects.

    Where each is on a line of its own, one that is no JSON costs its line. Elsewhere nothing says
    where the next one begins, so the file is refused, naming the line.

    Raises:
        InvalidParameters: If it is no text, or no JSON in a form that goes over several lines.
    """
    text = TextFile.open(file, max_bytes=wanted.max_bytes)
    reader = _Reader(text, wanted)
    if _is_array_of_a_long_line(text):
        return reader.by_value()
    lines = ((number, line) for number, line in enumerate(text.lines(), start=1) if line.strip())
    first = list(islice(lines, _FIRST_LINES))
    if _is_an_object_a_line([line.strip() for _, line in first]):
        return reader.by_line(chain(first, lines))
    return reader.by_value()


def _is_array_of_a_long_line(text: TextFile) -> bool:
    """Whether a file begins with an array in a line that is too long to be read at once.

    Programs write an array of any length without a line end.
    """
    with text.text() as characters:
        line = characters.readline(text.max_line)
        while line and not line.strip():
            line = characters.readline(text.max_line)
    is_long = len(line) == text.max_line and line[-1] not in "\r\n"
    return is_long and line.lstrip(_BETWEEN).startswith("[")


def _is_an_object_a_line(first: list[str]) -> bool:
    if not first or first[0][0] not in "[{":
        return True  # nothing, or no JSON: which costs no more than its line
    value = _parsed(first[0])
    if isinstance(value, list):
        return len(first) > 1
    if value is not None:
        return True
    # An array or an object that goes on in the next line; or one that is broken.
    elements = list(filter(None, map(_element, first)))
    if not elements or elements[0] == "{" or not elements[0].startswith("{"):
        return False
    return any(isinstance(each, dict) for line in elements for each in _parsed(f"[{line}]") or ())


def _element(line: str) -> str:
    """What a line holds where objects have commas between them, and brackets around them."""
    inner = line.strip().removeprefix("[").strip(_BETWEEN)
    if inner.startswith("{") or inner == "]":
        inner = inner.removesuffix("]")
    return inner.rstrip(_BETWEEN)


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
        where, is_open = text.file.name, False
        is_array: bool | None = None
        for number, line in lines:
            where = f"{text.file.name}:{number}"
            if is_array is None:
                is_array = line.lstrip().startswith("[")
            mended, encoding, remark = (line, text.encoding, None)
            if text.has_bad_bytes and not line.isascii():
                mended, encoding, remark = text.mend(line)
            try:
                value = parse(mended)
            except NotJson as error:
                is_open = is_array and not line.rstrip().endswith("]")
                values = _parsed(f"[{_element(mended)}]")
                if values is None:
                    yield Refusal(where, f"no JSON: {error}")
                    continue
            else:
                values = [value]
            for each in values:
                yield self._record(where, each, encoding, [remark] if remark else [])
        if is_open:
            yield Refusal(where, "the array is not closed behind this line: was the file cut off?")

    def by_value(self) -> Iterator[SourceRecord | Refusal]:
        """Read the elements of an array, or values one after the other."""
        text = self._text
        with text.text() as characters:
            try:
                for line, value in stream(characters, max_characters=text.max_line):
                    where = f"{text.file.name}:{line}"
                    if isinstance(value, Unreadable):
                        yield Refusal(where, f"no JSON: {value.reason}")
                        continue
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
