"""Requests that cannot be served: each fails at once, for good, and says what was wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.corpora import SmallProject
from tests.support.house import House


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request that is wrong in one way.

    Attributes:
        kwargs: Given besides, or instead of, what makes the request right.
        without: Left out of what makes it right.
        names: What the message must name, so that the sender finds the mistake.
        project: Makes the project the request is about; the shared, trained one if not given.
    """

    actor: str
    code: str
    names: tuple[str, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    without: tuple[str, ...] = ()
    project: Callable[[House], SmallProject] | None = None


def without_labels(house: House) -> SmallProject:
    """A project whose field has no labels."""
    return house.project(training=0, test=0)


def with_one_class(house: House) -> SmallProject:
    """A project whose field has labels of one class only."""
    return house.project(labels=("animals",), training=3, test=0)


def with_one_document(house: House) -> SmallProject:
    """A project with one labelled document."""
    return house.project(labels=("animals",), training=1, test=0)


def without_test_labels(house: House) -> SmallProject:
    """A trained project whose labels are all for training."""
    project = house.project(training=3, test=0)
    house.train(project)
    return project


def with_empty_documents(house: House) -> SmallProject:
    """A project whose documents hold no words."""
    project = house.project(training=2, test=0)
    for document_id in project.document_ids:
        house.document_file(project, document_id).write_text(" \n")
    return project


def without_files(house: House) -> SmallProject:
    """A project whose documents are rows only."""
    project = house.project(training=2, test=0)
    for document_id in project.document_ids:
        house.document_file(project, document_id).unlink()
    return project


def without_model_files(house: House) -> SmallProject:
    """A trained project whose model lost its manifest."""
    project = house.project(training=2, test=1)
    house.train(project)
    (house.model_directory(project, 1) / "manifest.json").unlink()
    return project


INDEX, TRAIN = "index_documents", "train_field_model"
PREDICT, EVALUATE = "predict_field_documents", "evaluate_field_model"
INVALID, MISMATCH, NOTHING = "VALIDATION_ERROR", "PLUGIN_MISMATCH", "NO_DOCUMENTS"

WRONG = {
    "unknown argument": Wrong(TRAIN, INVALID, ("fetaure_extractor",), {"fetaure_extractor": "bow"}),
    "missing argument": Wrong(TRAIN, INVALID, ("field_id",), without=("field_id",)),
    "document_ids left out": Wrong(PREDICT, INVALID, ("document_ids",), without=("document_ids",)),
    "id as text": Wrong(INDEX, INVALID, ("project_id",), {"project_id": "7"}),
    "id as fraction": Wrong(INDEX, INVALID, ("project_id",), {"project_id": 7.0}),
    "id as boolean": Wrong(INDEX, INVALID, ("project_id",), {"project_id": True}),
    "id null": Wrong(INDEX, INVALID, ("project_id",), {"project_id": None}),
    "id zero": Wrong(INDEX, INVALID, ("project_id",), {"project_id": 0}),
    "id beyond bigint": Wrong(INDEX, INVALID, ("project_id",), {"project_id": 2**63}),
    "flag as number": Wrong(INDEX, INVALID, ("is_incremental",), {"is_incremental": 1}),
    "ids as text": Wrong(PREDICT, INVALID, ("document_ids.0",), {"document_ids": ["1"]}),
    "ids as one id": Wrong(PREDICT, INVALID, ("document_ids",), {"document_ids": 1}),
    "name that is a path": Wrong(INDEX, INVALID, ("tokenizer",), {"tokenizer": "../icu"}),
    "params as list": Wrong(TRAIN, INVALID, ("classifier_params",), {"classifier_params": []}),
    "unknown parameter": Wrong(TRAIN, INVALID, ("svm", "CC"), {"classifier_params": {"CC": 1}}),
    "parameter out of range": Wrong(TRAIN, INVALID, ("svm", "C"), {"classifier_params": {"C": -1}}),
    "positional argument": Wrong(INDEX, INVALID, ("keyword arguments",), args=(1,)),
    "path outside": Wrong(INDEX, INVALID, ("../other",), {"documents_path": "../other"}),
    "absolute path": Wrong(INDEX, INVALID, ("/etc",), {"documents_path": "/etc"}),
    "path to nothing": Wrong(INDEX, "NOT_FOUND", ("nowhere",), {"documents_path": "nowhere"}),
    "no such project": Wrong(INDEX, "NOT_FOUND", ("project 4611",), {"project_id": 4611}),
    "no such field": Wrong(TRAIN, "NOT_FOUND", ("field 4612",), {"field_id": 4612}),
    "no such version": Wrong(PREDICT, "NOT_FOUND", ("version 9",), {"model_version": 9}),
    "no labels": Wrong(TRAIN, "NO_TRAINING_LABELS", ("field",), project=without_labels),
    "one class": Wrong(TRAIN, "NOT_ENOUGH_DOCUMENTS", ("animals", "2"), project=with_one_class),
    "one document": Wrong(TRAIN, "NOT_ENOUGH_DOCUMENTS", ("1",), project=with_one_document),
    "no test labels": Wrong(EVALUATE, "NO_TEST_LABELS", ("test",), project=without_test_labels),
    "no model": Wrong(PREDICT, "NO_READY_MODEL", ("train",), project=with_one_class),
    "nothing to index": Wrong(INDEX, NOTHING, ("no documents",), project=without_labels),
    "unreadable documents": Wrong(INDEX, NOTHING, ("missing",), project=without_files),
    "nothing to predict": Wrong(PREDICT, NOTHING, ("none of the 1",), {"document_ids": [4613]}),
    "no ids to predict": Wrong(PREDICT, NOTHING, ("null",), {"document_ids": []}),
    "no words": Wrong(TRAIN, "EMPTY_VOCABULARY", (), project=with_empty_documents),
    "unknown tokenizer": Wrong(TRAIN, "PLUGIN_NOT_FOUND", ("ikoo", "icu"), {"tokenizer": "ikoo"}),
    "tokenizer to index with": Wrong(INDEX, "PLUGIN_NOT_FOUND", ("ikoo",), {"tokenizer": "ikoo"}),
    "another tokenizer": Wrong(PREDICT, MISMATCH, ("spacy", "icu"), {"tokenizer": "spacy"}),
    "another locale": Wrong(EVALUATE, MISMATCH, ("de", "en"), {"locale": "de"}),
    "damaged model": Wrong(PREDICT, "MODEL_CORRUPT", ("manifest",), project=without_model_files),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_fails_at_once_and_says_why(
    house: House, trained: SmallProject, wrong: Wrong
) -> None:
    project = trained if wrong.project is None else wrong.project(house)
    kwargs = {**right_request(wrong.actor, project), **wrong.kwargs}
    for name in wrong.without:
        del kwargs[name]

    task = house.database.failed(house.send(wrong.actor, *wrong.args, **kwargs))

    error = task["error"]
    assert error["code"] == wrong.code, error
    assert [name for name in wrong.names if name not in error["message"]] == []
    assert error["retryable"] is False
    assert (task["attempts"], task["result"]) == (1, None)
    assert task["request"] == kwargs
    assert task["finished_at"] is not None


def test_a_field_of_another_project_is_not_found(house: House, trained: SmallProject) -> None:
    other = house.project(training=0, test=0)
    for actor in (TRAIN, PREDICT, EVALUATE):
        kwargs = {**right_request(actor, trained), "project_id": other.project_id}
        error = house.database.failed(house.send(actor, **kwargs))["error"]
        assert error["code"] == "NOT_FOUND"
        assert f"field {trained.field_id}" in error["message"]


def test_a_failed_training_leaves_a_failed_version_with_the_reason(house: House) -> None:
    project = with_empty_documents(house)
    task = house.database.failed(house.send_training(project))
    model = house.database.row("SELECT * FROM model WHERE field_id = :id", id=project.field_id)
    assert model is not None
    assert (model["version"], model["status"]) == (1, "failed")
    assert model["metrics"]["error"]["code"] == task["error"]["code"]
    assert not house.model_directory(project, 1).exists()


def right_request(actor: str, project: SmallProject) -> dict[str, Any]:
    """Arguments that would be served."""
    kwargs: dict[str, Any] = {"project_id": project.project_id}
    if actor != INDEX:
        kwargs["field_id"] = project.field_id
    if actor == PREDICT:
        kwargs["document_ids"] = project.document_ids[:3]
    return kwargs
