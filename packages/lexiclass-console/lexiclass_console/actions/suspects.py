"""Saying what is thought of labels that look wrong."""

from __future__ import annotations

from typing import Final, Literal

from lexiclass_console.actions.action import Action, Doing, OneDocument, Outcome
from lexiclass_core.documents.suspects import judge_suspect
from lexiclass_core.statuses import Role, SuspectStatus


class Judgement(OneDocument):
    """What somebody thinks of the label of a document.

    Attributes:
        status: ``confirmed`` if the label is wrong, ``dismissed`` if it is right.
    """

    status: Literal["confirmed", "dismissed", "open"]


async def judge(doing: Doing, form: Judgement) -> Outcome:
    """Confirm or dismiss that a label is wrong; labels themselves are corrected by annotators."""
    is_suspect = await judge_suspect(
        doing.session,
        form.project_id,
        form.field_id,
        form.document_id,
        SuspectStatus(form.status),
    )
    said = {
        "confirmed": "is marked as wrong",
        "dismissed": "is not asked about again",
        "open": "is to be decided again",
    }[form.status]
    if not is_suspect:
        said = "does not look wrong any more"
    return form.outcome(f"The label of document {form.document_id} {said}.")


ACTIONS: Final = (
    Action(
        name="label.judge", needs=Role.OPERATOR, form=Judgement, do=judge, quotes_documents=True
    ),
)
