"""Submitting tasks."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

from pydantic import Field, ValidationError
from sqlalchemy import select

from lexiclass_console.actions.action import (
    Action,
    Doing,
    FormRefused,
    OneField,
    Outcome,
    Submission,
)
from lexiclass_console.actions.training import Training, training_arguments
from lexiclass_core.client import InvalidTask
from lexiclass_core.models import Task
from lexiclass_core.schemas import (
    DescribeDocument,
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TrainFieldModel,
)
from lexiclass_core.statuses import Role
from lexiclass_core.tasks.submission import problems_of

_MOST_CHARACTERS: Final = 200
_SHARE: Final = re.compile(r"[01]|[01]?\.[0-9]{1,10}")


class DocumentOfProject(Submission):
    """A document of a project."""

    document_id: int = Field(ge=1, lt=2**63)


class UseOfModel(OneField, Submission):
    """A version to use, or the one that serves.

    Attributes:
        model_version: Which; empty for the one that serves.
    """

    model_version: str = Field("", pattern=r"^\d{0,10}$")


class Evaluation(UseOfModel):
    """A measurement on the test labels of a field.

    Attributes:
        slice_by: Keys of the documents' metadata by which the report divides them, with commas.
    """

    slice_by: str = Field("", max_length=500)


class Prediction(UseOfModel):
    """Predictions of all documents of a project.

    Attributes:
        accuracy: Accept those that are certified to be right so often; empty to accept none.
        confidence: Or those of so much confidence, of which nothing is certified.
    """

    accuracy: str = Field("", max_length=_MOST_CHARACTERS)
    confidence: str = Field("", max_length=_MOST_CHARACTERS)


async def index(doing: Doing, form: Submission) -> Outcome:
    """Index the documents of a project."""
    return await _submit(doing, form, IndexDocuments, {"project_id": form.project_id})


async def train(doing: Doing, form: Training) -> Outcome:
    """Train the next version of a field's model."""
    arguments = await training_arguments(doing.session, form)
    return await _submit(doing, form, TrainFieldModel, arguments)


async def evaluate(doing: Doing, form: Evaluation) -> Outcome:
    """Measure a version on its field's test labels."""
    keys = [key for each in form.slice_by.split(",") if (key := each.strip())]
    return await _submit(doing, form, EvaluateFieldModel, _use(form) | {"slice_by": keys or None})


async def predict(doing: Doing, form: Prediction) -> Outcome:
    """Predict a field for every document of its project."""
    asked = {"accuracy": form.accuracy.strip(), "confidence": form.confidence.strip()}
    if problems := {
        name: f"found {text[:40]!r}; expected a number from 0 to 1 with a point, such as 0.8"
        for name, text in asked.items()
        if text and not (_SHARE.fullmatch(text) and float(text) <= 1)
    }:
        raise FormRefused(problems)
    accept_at = {name: float(text) for name, text in asked.items() if text} or None
    arguments = _use(form) | {"document_ids": None, "accept_at": accept_at}
    return await _submit(doing, form, PredictFieldDocuments, arguments)


async def describe(doing: Doing, form: DocumentOfProject) -> Outcome:
    """Look up what is like a document, and what was predicted of it; its page shows it."""
    arguments = form.model_dump(exclude={"key"})
    outcome = await _submit(doing, form, DescribeDocument, arguments)
    return replace(outcome, task_id=None, message="A worker looks it up.")


def _use(form: UseOfModel) -> dict[str, Any]:
    return {
        "project_id": form.project_id,
        "field_id": form.field_id,
        "model_version": int(form.model_version) if form.model_version else None,
    }


async def _submit(
    doing: Doing, form: Submission, kind: type[Request], arguments: dict[str, Any]
) -> Outcome:
    try:
        request = kind.model_validate(arguments)
    except ValidationError as error:
        raise InvalidTask(f"invalid arguments: {problems_of(error)}") from None
    key = _idempotency_key(form, request)
    before = await _submitted(doing, request, key)
    task = await doing.client.submit(request, session=doing.session, idempotency_key=key)
    said = f"Task {task.id} was submitted."
    if before == task.id:
        said = (
            f"Task {task.id} was submitted by this form before, and by its second sending no "
            "other. Load the page of the form anew to submit another."
        )
    return Outcome(
        subject=f"task {task.id}",
        message=said,
        details={"type": task.type, "request": task.request},
        task_id=task.id,
    )


def _idempotency_key(form: Submission, request: Request) -> str | None:
    """One of this form and what it asks for: changed and sent again it is another submission."""
    if not form.key:
        return None
    asked = request.model_dump_json().encode()
    return f"form {form.key} {hashlib.sha256(asked).hexdigest()[:32]}"


async def _submitted(doing: Doing, request: Request, key: str | None) -> int | None:
    """The task that was submitted with a key; None if there is none."""
    if key is None:
        return None
    return await doing.session.scalar(
        select(Task.id).where(Task.project_id == request.project_id, Task.idempotency_key == key)
    )


ACTIONS: Final = (
    Action(name="submit.index", needs=Role.OPERATOR, form=Submission, do=index),
    Action(name="submit.train", needs=Role.OPERATOR, form=Training, do=train),
    Action(name="submit.evaluate", needs=Role.OPERATOR, form=Evaluation, do=evaluate),
    Action(name="submit.describe", needs=Role.OPERATOR, form=DocumentOfProject, do=describe),
    Action(name="submit.predict", needs=Role.OPERATOR, form=Prediction, do=predict),
)
