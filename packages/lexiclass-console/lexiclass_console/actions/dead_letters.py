"""Running dead letters once more, and removing them."""

from __future__ import annotations

from functools import partial
from typing import Final

from pydantic import Field

from lexiclass_console.actions.action import MOST_AT_ONCE, Action, Doing, Form, Outcome
from lexiclass_core.client import IdempotencyConflict, InvalidTask
from lexiclass_core.client.dead_tasks import DeadLetterSelection
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
    return Outcome(
        subject=f"{len(new)} dead letters",
        message=said,
        without_quotes=without_quotes,
        details={"keys": done, "new_task_ids": new, "left_alone": left},
        after_commit=partial(letters.purge, DeadLetterSelection(keys=done)) if done else None,
    )


async def purge(doing: Doing, form: SeveralLetters) -> Outcome:
    """Remove dead letters; the rows of their tasks stay."""
    keys = sorted(set(form.keys))
    selection = DeadLetterSelection(keys=keys)
    return Outcome(
        subject=f"{len(keys)} dead letters",
        message=f"{len(keys)} dead letters are removed; the rows of their tasks stay.",
        details={"keys": keys},
        after_commit=partial(doing.client.dead_letters.purge, selection),
    )


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
