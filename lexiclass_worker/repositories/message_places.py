"""Where a message stands in the order of its queue, as what any sender may have written there."""

import json
import math
from collections.abc import Collection, Mapping
from typing import Any, Final

STEP: Final = 2**42
"""Places of one priority: milliseconds, above any time of sending until the year 2109. Times 1,000
it is still exact in the floating point numbers that Redis sorts by."""

_LARGEST_PRIORITY: Final = 1_000
_LATEST_MS: Final = 2**53

# What is no message goes first: the worker makes it a dead letter.
_FIRST: Final = -_LARGEST_PRIORITY * STEP


def turn_place(
    entry: bytes, priorities: Mapping[str, int], limited: Collection[str]
) -> tuple[int, str]:
    """The place of a message in a queue, and the group with which it shares a limit, or "".

    Args:
        entry: The message.
        priorities: Priority of messages that have none of their own, by actor; lower goes first.
        limited: Actors whose messages make a group for each project.
    """
    message = _decode(entry)
    if message is None:
        return _FIRST, ""
    actor = message.get("actor_name")
    actor = actor if isinstance(actor, str) else ""
    own = _whole(_field(message, "options", "priority"), -_LARGEST_PRIORITY, _LARGEST_PRIORITY)
    priority = priorities.get(actor, 0) if own is None else own
    sent = _whole(message.get("message_timestamp"), 0, STEP - 1) or 0
    project = _field(message, "kwargs", "project_id")
    is_limited = actor in limited and _is_number(project)
    return priority * STEP + sent, f"{actor}/{math.floor(project)}" if is_limited else ""


def due_place(entry: bytes) -> int:
    """The place of a message in a delay queue: when it is due, in ms since 1970."""
    message = _decode(entry)
    if message is None:
        return _FIRST
    return _whole(_field(message, "options", "eta"), 0, _LATEST_MS) or 0


def _decode(entry: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(entry.decode())
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _field(message: Mapping[str, Any], name: str, inner: str) -> Any:
    outer = message.get(name)
    return outer.get(inner) if isinstance(outer, dict) else None


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    # isfinite() would make a float of an integer with any number of digits.
    return isinstance(value, int) or math.isfinite(value)


def _whole(value: Any, low: int, high: int) -> int | None:
    if isinstance(value, float) and math.isinf(value):
        return high if value > 0 else low
    return math.floor(max(low, min(high, value))) if _is_number(value) else None
