"""Running dead letters once more, and removing them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from pydantic import Field

from lexiclass_console.actions.action import MOST_AT_ONCE, Action, Doing, Form, Outcome
from lexiclass_core.client import IdempotencyConflict, InvalidTask
from lexiclass_core.client.dead_tasks import DeadLetterSelection, Handled
from lexiclass_core.statuses import Role

_NAMED: Final = 3


class SeveralLetters(Form):
    """The dead letters that a list showed."""

    keys: list[str] = Field(min_length=1, max_length=MOST_AT_ONCE)


async def replay(doing: Doing, form: SeveralLetters) -> Outcome:
    """Submit the requests of dead letters as new tasks; they are removed once that is committed.

    A replay that is cut off in between and done again makes no second task.
    """
    letters = doing.client.dead_letters
    new: list[int] = []
    done: list[str] = []
    left: list[str] = []
    for dead in await letters.within(doing.session).list(DeadLetterSelection(keys=form.keys)):
        try:
            request = dead.request()
            task = await doing.client.submit(request, session=doing.session, **dead.options())
        except (InvalidTask, IdempotencyConflict) as error:
            left.append(f"{dead.letter.message_id or dead.letter.key}: {error}")
            continue
        new.append(task.id)
        done.append(dead.letter.key)
    said = without_quotes = f"{len(new)} dead letters were submitted as new tasks."
    if left:
        rest = "; ".join(left[:_NAMED])
        without_quotes = f"{said} {len(left)} were left alone."
        said = f"{said} {len(left)} were left alone: {rest}"
    outcome = Outcome(
        subject=f"{len(new)} dead letters",
        message=said,
        without_quotes=without_quotes,
        details={"keys": done, "new_task_ids": new, "left_alone": left},
    )

    async def remove() -> Outcome | None:
        still = _still_there(await letters.purge(DeadLetterSelection(keys=done)))
        if not still:
            return None
        return dataclasses.replace(
            outcome, message=f"{said} {still}", without_quotes=f"{without_quotes} {still}"
        )

    return dataclasses.replace(outcome, after_commit=remove if done else None)


async def purge(doing: Doing, form: SeveralLetters) -> Outcome:
    """Remove dead letters; the rows of their tasks stay.

    Redis is no part of the transaction: that it is begun is committed before, and what came of it
    is written down after. What ends in between has told of no removal that there was not.
    """
    keys = sorted(set(form.keys))
    subject = f"{len(keys)} dead letters"

    async def remove() -> Outcome:
        handled = await doing.client.dead_letters.purge(DeadLetterSelection(keys=keys))
        removed = [each.dead.letter.key for each in handled if each.is_removed]
        still = _still_there(handled)
        if still:
            said = f"{len(removed)} of {subject} are removed; {still}"
        else:
            others = ", the others were gone already" if len(removed) < len(keys) else ""
            said = f"{len(removed)} of {subject} are removed{others}; the rows of their tasks stay."
        return Outcome(subject=subject, message=said, details={"keys": removed})

    return Outcome(
        subject=subject,
        message=f"The removal of {subject} is begun.",
        details={"keys": keys},
        after_commit=remove,
    )


def _still_there(handled: Sequence[Handled]) -> str:
    """What is to be said of those that Redis did not remove; empty if there are none."""
    left = [each.done for each in handled if each.has_failed]
    return f"{len(left)} are still there, {left[0]}." if left else ""


ACTIONS: Final = (
    Action(
        name="dead_letters.replay",
        needs=Role.OPERATOR,
        form=SeveralLetters,
        do=replay,
        quotes_requests=True,
    ),
    Action(name="dead_letters.purge", needs=Role.ADMIN, form=SeveralLetters, do=purge),
)
