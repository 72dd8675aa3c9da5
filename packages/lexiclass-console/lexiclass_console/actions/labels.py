"""Saying of which class documents are: one by one, or as they were predicted."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field

from lexiclass_console.actions.action import MOST_AT_ONCE, Action, Doing, Form, OneDocument, Outcome
from lexiclass_core import references
from lexiclass_core.documents import Label, remove_label, set_label
from lexiclass_core.documents.fields import name_of_class
from lexiclass_core.documents.labels import add_labels, locked_label
from lexiclass_core.documents.reviewing import still_predicted
from lexiclass_core.statuses import Role

_LARGEST: Final = 2**63

Shown = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}:[1-9][0-9]{0,17}$")]

ShownClass = Annotated[int | None, Field(ge=0, lt=_LARGEST)]


class SaidClass(OneDocument):
    """The class of a document.

    Attributes:
        class_name: Its name instead, of a field with too many classes to choose from.
    """

    class_id: int = Field(0, ge=0, lt=_LARGEST)
    class_name: str = Field("", max_length=500)


class Labelling(SaidClass):
    """The class of a document, and what the label is for.

    Attributes:
        split: What the label is for; empty for what it is for already, else training.
        shown_class_id: The class that was shown, which alone is replaced; 0 for none. Without it
            any is.
    """

    split: Literal["", "training", "test"] = ""
    shown_class_id: ShownClass = None


class Unlabelling(OneDocument):
    """A document whose label is to go, and the class that it was shown with."""

    shown_class_id: ShownClass = None


class Decision(SaidClass):
    """What somebody says of a prediction, by saying what the class is."""

    shown_class_id: int = Field(ge=1, lt=_LARGEST)


class Confirmation(Form):
    """Predictions that are right, as a list showed them.

    Attributes:
        shown: Document and predicted class of each, such as ``12:3``.
    """

    field_id: int = Field(ge=1, lt=_LARGEST)
    shown: list[Shown] = Field(min_length=1, max_length=MOST_AT_ONCE)


async def label(doing: Doing, form: Labelling) -> Outcome:
    """Say of which class a document is."""
    name = await _class_name(doing, form.field_id, form.class_id, form.class_name)
    trains = {"training": True, "test": False}.get(form.split)
    is_added = False
    if form.shown_class_id == 0:
        # By this alone nobody who says it at the same moment is overwritten.
        class_id = await references.find_class(doing.session, form.field_id, name)
        is_added = bool(
            await add_labels(doing.session, form.field_id, {form.document_id: class_id})
        )
    if not is_added and (refused := await _changed_meanwhile(doing, form, name)):
        return refused
    is_new = await set_label(
        doing.session,
        form.project_id,
        form.field_id,
        form.document_id,
        Label(class_name=name, is_training_data=trains),
    )
    said = f"Document {form.document_id} is {name!r} in field {form.field_id}"
    return form.outcome(f"{said}." if is_new or is_added else f"{said}, as it was.")


async def unlabel(doing: Doing, form: Unlabelling) -> Outcome:
    """Take a document's label away."""
    if refused := await _changed_meanwhile(doing, form):
        return refused
    was_there = await remove_label(doing.session, form.project_id, form.field_id, form.document_id)
    said = "is removed" if was_there else "was not there"
    return form.outcome(
        f"The label of document {form.document_id} in field {form.field_id} {said}."
    )


async def review(doing: Doing, form: Decision) -> Outcome:
    """Confirm a prediction, or correct it: the document gets a label, if it has none yet."""
    name = await _class_name(doing, form.field_id, form.class_id, form.class_name)
    class_id = await references.find_class(doing.session, form.field_id, name)
    written = await add_labels(doing.session, form.field_id, {form.document_id: class_id})
    if not written:
        said = f"Document {form.document_id} was labelled or removed meanwhile: nothing was done."
    elif class_id == form.shown_class_id:
        said = f"Document {form.document_id} is {name!r}, as predicted."
    else:
        said = f"Document {form.document_id} is {name!r}, and not as predicted."
    return form.outcome(said)


async def confirm(doing: Doing, form: Confirmation) -> Outcome:
    """Label documents as they are predicted, where that is what was shown."""
    pairs = (each.partition(":") for each in form.shown)
    shown = {int(document): int(found) for document, _, found in pairs}
    still = await still_predicted(doing.session, form.field_id, shown)
    written = await add_labels(doing.session, form.field_id, still)
    changed, labelled = len(shown) - len(still), len(still) - len(written)
    said = [f"{len(written)} documents of field {form.field_id} are labelled as predicted."]
    if changed:
        said.append(f"{changed} are predicted otherwise by now, and were left alone.")
    if labelled:
        said.append(f"{labelled} had got a label meanwhile, which stays.")
    return Outcome(
        subject=f"{len(written)} documents of field {form.field_id}",
        message=" ".join(said),
        details={
            "field_id": form.field_id,
            "class_of_document": {str(each): still[each] for each in sorted(written)},
            "num_changed": changed,
            "num_labelled": labelled,
        },
    )


async def _changed_meanwhile(
    doing: Doing, form: Labelling | Unlabelling, wanted: str | None = None
) -> Outcome | None:
    """What is said where a label is another than was shown; None if it is not, or as it is wanted.

    It stays so until this is committed.
    """
    if form.shown_class_id is None:
        return None
    found = await locked_label(doing.session, form.field_id, form.document_id)
    class_id, name = found or (0, None)
    if class_id == form.shown_class_id or name == wanted:
        return None
    said = "has no label any more" if name is None else f"is {name!r} by now"
    outcome = form.outcome(
        f"Document {form.document_id} {said} in field {form.field_id}, and not what was shown: "
        "nothing was done."
    )
    return replace(outcome, is_refused=True)


async def _class_name(doing: Doing, field_id: int, class_id: int, class_name: str) -> str:
    if class_id:
        return await name_of_class(doing.session, field_id, class_id)
    await references.find_class(doing.session, field_id, class_name)
    return class_name


ACTIONS: Final = tuple(
    Action(name=name, needs=Role.OPERATOR, form=form, do=do, quotes_documents=True)
    for name, form, do in (
        ("label.set", Labelling, label),
        ("label.remove", Unlabelling, unlabel),
        ("prediction.review", Decision, review),
        ("predictions.confirm", Confirmation, confirm),
    )
)
