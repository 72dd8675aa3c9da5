"""Values as people read them; ``--json`` has them in full."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.filesize import decimal

# All but tab and line feed: whoever writes a message or a name may write a terminal's commands. So
# are those of Unicode that turn the order of what follows, and line ends that not all know.
_TURNS: Final = "\u202a-\u202e\u2066-\u2069\u2028\u2029"
_CONTROL: Final = re.compile(f"[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_TURNS}]")
# What JSON leaves as it is.
_CONTROL_IN_JSON: Final = re.compile(f"[\x7f-\x9f\ud800-\udfff{_TURNS}]")


def show(value: object, name: str = "") -> str:
    """A value as people read it, without markup.

    Args:
        value: Anything that JSON can hold, or a time.
        name: What it is called: ``age_s`` and what is among ``seconds`` are durations,
            ``size_bytes`` is a size.
    """
    if value is None or value in ({}, []):
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case int() | float() if _is_duration(name):
            return duration(value)
        case int() if name.endswith("_bytes"):
            return decimal(value)
        case float():
            return number(value)
        case Mapping():
            return ", ".join(f"{harmless(str(key))} {show(part)}" for key, part in value.items())
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(show, value))
        case _:
            return harmless(str(value))


def number(value: float) -> str:
    """A fraction, to four digits."""
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e15 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds in the units that people say: ``0.31 s``, ``1 min 5 s``, ``2 h 10 min``."""
    if seconds < 59.5:
        return f"{seconds:.3g} s" if seconds >= 1 else f"{round(seconds, 3):g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def label(name: str) -> str:
    """A name without the unit that its value is shown with."""
    return name.removesuffix("_bytes").removesuffix("_s")


def harmless(text: str) -> str:
    """A text with what terminals act upon, or cannot encode, as escapes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def to_json(value: object) -> str:
    """Indented JSON; times as ISO 8601."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_jsonable)
    # They stand in strings alone, where such an escape is the same character.
    return _CONTROL_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _is_duration(name: str) -> bool:
    return name == "seconds" or name.endswith("_s")


def _jsonable(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
