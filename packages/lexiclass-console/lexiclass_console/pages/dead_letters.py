"""Messages that were given up."""

from __future__ import annotations

from collections import Counter
from typing import Final

from lexiclass_console.actions import MOST_AT_ONCE
from lexiclass_console.serving import Page, View
from lexiclass_core.client import BrokerUnavailable
from lexiclass_core.client.dead_tasks import DeadLetterSelection, DeadTask
from lexiclass_core.queue_config import QueueName

_MOST: Final = 200


async def show(view: View) -> Page:
    """Dead letters, newest first, and what they were given up for."""
    asked = view.asked("queue", "code")
    known = asked.get("queue") in {None, *QueueName}
    selection = DeadLetterSelection(
        queue=QueueName(asked["queue"]) if known and "queue" in asked else None,
        code=asked.get("code"),
    )
    found: list[DeadTask] | None
    try:
        letters = view.console.client.dead_letters.within(view.session)
        found = list(await letters.list(selection, limit=_MOST)) if known else []
    except BrokerUnavailable:
        found = None
    return Page(
        template="dead_letters.html",
        values={
            "letters": found,
            "causes": Counter(_cause(dead) for dead in found or ()),
            "asked": asked,
            "queues": list(QueueName),
            "limit": _MOST,
            "most_at_once": MOST_AT_ONCE,
        },
    )


def _cause(dead: DeadTask) -> str:
    return dead.code or ("no message" if not dead.letter.fields else "no task")
