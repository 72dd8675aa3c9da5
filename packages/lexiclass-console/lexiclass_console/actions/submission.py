"""Submitting tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from pydantic import Field, ValidationError

from lexiclass_console.actions.action import Action, Doing, Form, Outcome
from lexiclass_core.client import InvalidTask
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

_MOST_CHARACTERS: Final = 20_000


class OneProject(Form):
    """A project."""

    project_id: int = Field(ge=1, lt=2**63)


class OneDocument(OneProject):
    """A document of a project."""

    document_id: int = Field(ge=1, lt=2**63)


class OneField(OneProject):
    """A field of a project."""

    field_id: int = Field(ge=1, lt=2**63)


class Training(OneField):
    """What a version is made with; what is empty is as `lexiclass-worker train` has it.

    Attributes:
        tokenizer: Name of a plugin.
        feature_extractor: Likewise.
        classifier: Likewise.
        parameters: JSON with ``tokenizer_params``, ``feature_extractor_params`` and
            ``classifier_params``, as far as they are not the default ones.
    """

    tokenizer: str = Field("", max_length=200)
    feature_extractor: str = Field("", max_length=200)
    classifier: str = Field("", max_length=200)
    parameters: str = Field("", max_length=_MOST_CHARACTERS)


class UseOfModel(OneField):
    """A version to use, or the one that serves.

    Attributes:
        model_version: Which; empty for the one that serves.
    """

    model_version: str = Field("", pattern=r"^\d{0,10}$")


class Prediction(UseOfModel):
    """Predictions of all documents of a project.

    Attributes:
        accuracy: Accept those that are certified to be right so often; empty to accept none.
    """

    accuracy: str = Field("", pattern=r"^(|0?\.\d{1,4})$")


async def index(doing: Doing, form: OneProject) -> Outcome:
    """Index the documents of a project."""
    return await _submit(doing, IndexDocuments, {"project_id": form.project_id})


async def train(doing: Doing, form: Training) -> Outcome:
    """Train the next version of a field's model."""
    given = form.model_dump(exclude={"parameters"})
    # As the command does, and not as messages of other programs have it.
    arguments = {"feature_extractor": "tfidf"} | {
        key: value for key, value in given.items() if value
    }
    return await _submit(doing, TrainFieldModel, arguments | _parameters(form.parameters))


async def evaluate(doing: Doing, form: UseOfModel) -> Outcome:
    """Measure a version on its field's test labels."""
    return await _submit(doing, EvaluateFieldModel, _use(form))


async def predict(doing: Doing, form: Prediction) -> Outcome:
    """Predict a field for every document of its project."""
    accept_at = {"accuracy": float(form.accuracy)} if form.accuracy else None
    arguments = _use(form) | {"document_ids": None, "accept_at": accept_at}
    return await _submit(doing, PredictFieldDocuments, arguments)


async def describe(doing: Doing, form: OneDocument) -> Outcome:
    """Look up what is like a document, and what was predicted of it; its page shows it."""
    outcome = await _submit(doing, DescribeDocument, form.model_dump())
    return replace(outcome, task_id=None, message="A worker looks it up.")


def _use(form: UseOfModel) -> dict[str, Any]:
    return {
        "project_id": form.project_id,
        "field_id": form.field_id,
        "model_version": int(form.model_version) if form.model_version else None,
    }


def _parameters(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    names = {"tokenizer_params", "feature_extractor_params", "classifier_params"}
    if not isinstance(found, dict) or not found.keys() <= names:
        raise InvalidTask(
            'the parameters are not understood: expected JSON such as {"classifier_params": '
            '{"C": 0.5}}, with tokenizer_params, feature_extractor_params and classifier_params'
        )
    return found


async def _submit(doing: Doing, kind: type[Request], arguments: dict[str, Any]) -> Outcome:
    try:
        request = kind.model_validate(arguments)
    except ValidationError as error:
        raise InvalidTask(f"invalid arguments: {problems_of(error)}") from None
    task = await doing.client.submit(request, session=doing.session)
    return Outcome(
        subject=f"task {task.id}",
        message=f"Task {task.id} was submitted.",
        details={"type": task.type, "request": task.request},
        task_id=task.id,
    )


ACTIONS: Final = (
    Action(name="submit.index", needs=Role.OPERATOR, form=OneProject, do=index),
    Action(name="submit.train", needs=Role.OPERATOR, form=Training, do=train),
    Action(name="submit.evaluate", needs=Role.OPERATOR, form=UseOfModel, do=evaluate),
    Action(name="submit.describe", needs=Role.OPERATOR, form=OneDocument, do=describe),
    Action(name="submit.predict", needs=Role.OPERATOR, form=Prediction, do=predict),
)
