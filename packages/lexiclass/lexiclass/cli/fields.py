"""Names and values, a line each; what is nested, indented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lexiclass.cli.values import harmless, label, show

_GAP: Final = 2
_INDENT: Final = 2

# Where the names leave less, values go below them.
_NARROWEST_VALUE: Final = 24

# Of a longer list, the first so many are shown.
_LONGEST_LIST: Final = 20


class _Entry(NamedTuple):
    name: str
    value: str


def render_fields(fields: Mapping[str, Any], console: Console) -> Iterator[Text]:
    """Lay out names and values for the width of a console, line by line."""
    entries = list(_entries(fields, depth=0))
    names = max((cell_len(entry.name) for entry in entries), default=0)
    room = console.width - names - _GAP
    for name, value in entries:
        shown = Text(harmless(name), style="bold")
        # A key or a path that can be copied is worth a line of its own.
        longest = max(map(cell_len, value.split()), default=0)
        if room >= _NARROWEST_VALUE and (longest <= room or longest > console.width):
            beside = names + _GAP
        else:
            beside = len(name) - len(name.lstrip()) + _INDENT
            yield shown
            shown = Text()
        for line in Text(value).wrap(console, max(1, console.width - beside)) or [Text()]:
            shown.append(" " * (beside - cell_len(shown.plain))).append_text(line)
            shown.rstrip()
            yield shown
            shown = Text()


def _entries(fields: Mapping[str, Any], depth: int, unit: str = "") -> Iterator[_Entry]:
    for name, value in fields.items():
        place = " " * (_INDENT * depth) + harmless(label(name))
        if isinstance(value, Mapping) and value:
            yield _Entry(place, "")
            yield from _entries(value, depth + 1, "seconds" if name == "seconds" else "")
        elif isinstance(value, list) and value:
            yield from _listed(place, value)
        else:
            yield _Entry(place, show(value, unit or name))


def _listed(place: str, items: list[Any]) -> Iterator[_Entry]:
    shown = items[:_LONGEST_LIST]
    rest = f"and {len(items) - len(shown):,} more; --json has them all"
    is_long = len(items) > len(shown)
    if any(isinstance(item, Mapping) for item in shown):
        for number, item in enumerate(shown):
            yield _Entry(place if number == 0 else "", show(item))
        if is_long:
            yield _Entry("", rest)
    else:
        yield _Entry(place, show(shown) + (f", {rest}" if is_long else ""))
