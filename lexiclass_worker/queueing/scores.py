"""Where a message stands in the order of its queue, as what any sender may have written there."""

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from lexiclass_core.numbers import LARGEST_ID

STEP: Final = 2**42
"""Places of one priority: milliseconds, above any time of sending until the year 2109. Times 1,000
it is still exact in the floating point numbers that Redis sorts by."""

_LARGEST_PRIORITY: Final = 1_000
_LATEST_MS: Final = 2**53


def turn_score(
    message: Mapping[str, Any], priorities: Mapping[str, int], limited: Collection[str]
) -> tuple[int, str]:
    """The place of a message in a queue, and the group with which it shares a limit, or "".

    ``priorities`` are those of messages that have none of their own, by actor; lower goes first.
    Messages of ``limited`` actors make a group for each project.
    """
    actor = message["actor_name"]
    own = _whole(message["options"].get("priority"), -_LARGEST_PRIORITY, _LARGEST_PRIORITY)
    priority = priorities.get(actor, 0) if own is None else own
    sent = _whole(message["message_timestamp"], 0, STEP - 1) or 0
    project = message["kwargs"].get("project_id")
    is_limited = actor in limited and type(project) is int and 0 <= project <= LARGEST_ID
    return priority * STEP + sent, f"{actor}/{project}" if is_limited else ""


def due_score(message: Mapping[str, Any]) -> int:
    """The place of a message in a delay queue: when it is due, in ms since 1970."""
    return _whole(message["options"].get("eta"), 0, _LATEST_MS) or 0


def _whole(value: Any, low: int, high: int) -> int | None:
    if type(value) is float and math.isinf(value):
        return high if value > 0 else low
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return math.floor(max(low, min(high, value)))
    return None
