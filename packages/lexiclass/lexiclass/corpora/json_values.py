"""JSON values in a text, one after the other or in an array; one at a time is in memory."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOBase
from typing import Any, Final, NamedTuple

#: Why a value is not read, or not compared or shown.
NESTED_TOO_DEEPLY: Final = "nested too deeply"

_CHUNK_CHARACTERS: Final = 2**18
# Of what may be cut in two: -Infinity and the escape of a character beyond the first plane.
_LONGEST_WORD: Final = 16
# The last is the end mark of DOS.
_BLANK: Final = " \t\r\n\x1a"
_SHOWN: Final = 20


class Twins(dict[str, Any]):
    """An object that has a key more than once."""

    keys_twice: tuple[str, ...] = ()


class NotJson(ValueError):
    """A text that is no JSON; says why."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value of which nothing but its end can be told."""

    reason: str


class JsonValue(NamedTuple):
    """A value and the line it begins in."""

    line: int
    value: Any


def parse(text: str) -> Any:
    """Return the value of a text. NaN, which JSON has not, but Python and pandas write, is null.

    Raises:
        NotJson: If it is none, or nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(_reason(error)) from error


def stream(text: TextIOBase, *, max_characters: int) -> Iterator[JsonValue]:
    """Read the values of a text: the elements of the array that it is, or one after the other.

    Raises:
        NotJson: If something is no JSON; says in which line.
    """
    return _Stream(text, max_characters).read()


class _Stream:
    def __init__(self, text: TextIOBase, max_characters: int) -> None:
        self._text = text
        self._max_characters = max_characters
        self._buffer = ""
        self._position = 0
        self._line = 1
        self._at_end = False

    def read(self) -> Iterator[JsonValue]:
        is_array = self._next_character().lstrip("\ufeff") == "["
        if is_array:
            self._move(1)
            if self._next_character() == "]":
                return
        while self._next_character():
            yield self._value()
            if not is_array:
                continue
            mark = self._next_character()
            if mark == "]":
                self._move(1)
                if rest := self._next_character():
                    raise NotJson(f"line {self._line}: {rest!r} after the end of the array")
                return
            if mark != ",":
                found = repr(mark) if mark else "the end of the file"
                raise NotJson(f"line {self._line}: expected , or ], found {found}")
            self._move(1)
        if is_array:
            raise NotJson(f"line {self._line}: the array is not closed")

    def _value(self) -> JsonValue:
        line = self._line
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._position)
            except json.JSONDecodeError as error:
                if self._at_end or not self._is_cut(error):
                    at = line + self._buffer.count("\n", self._position, error.pos)
                    raise NotJson(f"line {at}: {_reason(error, shown=_SHOWN)}") from error
            except (ValueError, RecursionError) as error:
                behind = _end_of_value(self._buffer, self._position)
                if behind is not None:
                    self._move(behind - self._position)
                    return JsonValue(line, Unreadable(_reason(error)))
                if self._at_end or len(self._buffer) - self._position > self._max_characters:
                    raise NotJson(f"line {line}: {_reason(error)}") from error
            else:
                # A number may go on in what is not yet read.
                if end < len(self._buffer) or self._at_end:
                    self._move(end - self._position)
                    return JsonValue(line, value)
            self._read_more(len(self._buffer) - self._position)

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether an error is none, but the end of what was read so far."""
        if len(self._buffer) - self._position > self._max_characters:
            return False
        is_at_end = error.pos >= len(self._buffer) - _LONGEST_WORD
        return is_at_end or error.msg.startswith("Unterminated string")

    def _next_character(self) -> str:
        """The next that is not blank; nothing at the end."""
        while True:
            start = self._position
            rest = self._buffer[start : start + 1]
            while rest and rest in _BLANK:
                self._move(1)
                rest = self._buffer[self._position : self._position + 1]
            if rest or self._at_end:
                return rest
            self._read_more(0)

    def _move(self, characters: int) -> None:
        end = self._position + characters
        self._line += self._buffer.count("\n", self._position, end)
        self._position = end

    def _read_more(self, at_least: int) -> None:
        """Read as much again, so that a long value is not looked at in many small steps."""
        more = self._text.read(max(_CHUNK_CHARACTERS, at_least))
        self._at_end = not more
        self._buffer = self._buffer[self._position :] + more
        self._position = 0


def _end_of_value(text: str, start: int) -> int | None:
    """Return where an array or object ends that begins at a place; None if it goes on."""
    depth = 0
    for found in _STRUCTURE.finditer(text, start):
        token = found[0]
        depth += (token in {"[", "{"}) - (token in {"]", "}"})
        if depth <= 0:
            return found.end()
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    counts = Counter(key for key, _ in pairs)
    twins = Twins(values)
    twins.keys_twice = tuple(sorted(key for key, number in counts.items() if number > 1))
    return twins


def _reason(error: Exception, *, shown: int = 1) -> str:
    if isinstance(error, RecursionError):
        return NESTED_TOO_DEEPLY
    if isinstance(error, json.JSONDecodeError):
        # One character, so that reasons can be summed up.
        found = error.doc[error.pos : error.pos + shown].partition("\n")[0].rstrip()
        return f"{error.msg}, found {found!r}" if found else f"{error.msg}, found the end"
    # Python reads no longer numbers, as that takes a time that grows with the square of it.
    return "a number of too many digits"


_STRUCTURE: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]', re.DOTALL)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=lambda name: None if name == "NaN" else math.inf
)
