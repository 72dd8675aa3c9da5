"""Requests are strict and closed; defaults are those of the contract."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from lexiclass_core.events import TaskEvent
from lexiclass_core.models import TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import (
    DeleteProject,
    DescribeDocument,
    EraseDocuments,
    EvaluateFieldModel,
    IndexDocumentChunk,
    IndexDocuments,
    IndexResult,
    PredictDocumentChunk,
    PredictFieldDocuments,
    Request,
    TaskError,
    TrainFieldModel,
)
from lexiclass_core.values import Record

VALID: dict[type[Request], dict[str, Any]] = {
    IndexDocuments: {"project_id": 1},
    TrainFieldModel: {"project_id": 1, "field_id": 2},
    PredictFieldDocuments: {"project_id": 1, "field_id": 2, "document_ids": None},
    EvaluateFieldModel: {"project_id": 1, "field_id": 2},
    PredictDocumentChunk: {
        "project_id": 1, "field_id": 2, "model_version": 3, "documents": {"first": 1, "last": 9},
    },
    IndexDocumentChunk: {
        "project_id": 1, "build": "m", "index": "icu-en", "shards": [[2], {"first": 3, "last": 9}],
        "tokenizer": "icu", "locale": "en",
    },
    EraseDocuments: {"project_id": 1, "document_ids": [2]},
    DescribeDocument: {"project_id": 1, "document_id": 2},
    DeleteProject: {"project_id": 1},
}  # fmt: skip

DEFAULTS: dict[type[Request], dict[str, Any]] = {
    IndexDocuments: {
        "documents_path": None, "is_incremental": True, "tokenizer": "icu", "locale": "en",
        "tokenizer_params": {},
        "feature_extractor": None, "feature_extractor_params": {},
    },
    TrainFieldModel: {
        "tokenizer": "icu", "feature_extractor": "bow", "classifier": "svm", "locale": "en",
        "tokenizer_params": {}, "feature_extractor_params": {}, "classifier_params": {},
    },
    PredictFieldDocuments: {
        "model_version": None, "tokenizer": None, "feature_extractor": None, "locale": None,
        "accept_at": None,
    },
    EvaluateFieldModel: {
        "model_version": None, "tokenizer": None, "feature_extractor": None, "locale": None,
        "slice_by": None,
    },
    PredictDocumentChunk: {
        "tokenizer": None, "feature_extractor": None, "locale": None, "accept_from": None,
    },
    IndexDocumentChunk: {"documents_path": None, "tokenizer_params": {}},
    EraseDocuments: {"remove_models": False},
    DescribeDocument: {
        "limit": 10, "tokenizer": "icu", "locale": "en", "tokenizer_params": {},
    },
    DeleteProject: {},
}  # fmt: skip


def test_every_actor_has_a_schema() -> None:
    assert {operation.request for operation in OPERATIONS.values()} == set(VALID)
    assert all(each.request.actor_name == name for name, each in OPERATIONS.items())


@pytest.mark.parametrize("schema", VALID)
def test_what_is_left_out_has_the_contracts_default(schema: type[Request]) -> None:
    request = schema.model_validate(VALID[schema])

    assert request.model_dump() == {**DEFAULTS[schema], **VALID[schema]}


@pytest.mark.parametrize("schema", VALID)
def test_every_argument_without_a_default_is_required(schema: type[Request]) -> None:
    for name in VALID[schema]:
        rest = {key: value for key, value in VALID[schema].items() if key != name}
        with pytest.raises(ValidationError, match=f"(?s){name}.*Field required"):
            schema.model_validate(rest)


@pytest.mark.parametrize("schema", VALID)
def test_an_unknown_argument_is_an_error(schema: type[Request]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        schema.model_validate({**VALID[schema], "surprise": 1})


@pytest.mark.parametrize("schema", VALID)
def test_a_request_cannot_be_changed(schema: type[Request]) -> None:
    request = schema.model_validate(VALID[schema])
    with pytest.raises(ValidationError, match="frozen"):
        request.project_id = 2  # type: ignore[misc]  # which mypy refuses as well


NOT_IDS = ["7", 7.0, True, None, 0, -1, 2**63, [1], {}, float("nan")]


@pytest.mark.parametrize("value", NOT_IDS, ids=repr)
@pytest.mark.parametrize(
    ("schema", "name"),
    [(schema, name) for schema in VALID for name in VALID[schema] if name.endswith("_id")],
)
def test_an_id_is_a_positive_bigint_and_nothing_else(
    schema: type[Request], name: str, value: object
) -> None:
    with pytest.raises(ValidationError):
        schema.model_validate({**VALID[schema], name: value})
    schema.model_validate({**VALID[schema], name: 2**63 - 1})


@pytest.mark.parametrize("value", [*NOT_IDS, 2**31], ids=repr)
def test_a_model_version_is_a_positive_integer(value: object) -> None:
    arguments = {**VALID[EvaluateFieldModel], "model_version": value}
    if value is None:
        assert EvaluateFieldModel.model_validate(arguments).model_version is None
        return
    with pytest.raises(ValidationError):
        EvaluateFieldModel.model_validate(arguments)


@pytest.mark.parametrize("value", [1, "all", ["1"], [0], [True], [None], [2**63]], ids=repr)
def test_document_ids_are_a_list_of_ids_or_null(value: object) -> None:
    with pytest.raises(ValidationError):
        PredictFieldDocuments(project_id=1, field_id=1, document_ids=value)


@pytest.mark.parametrize(
    "value", [None, [0], ["1"], {"first": 1}, {"first": 0, "last": 1}], ids=repr
)
def test_the_documents_of_a_chunk_are_a_list_of_ids_or_a_range(value: object) -> None:
    with pytest.raises(ValidationError):
        PredictDocumentChunk(project_id=1, field_id=1, model_version=1, documents=value)


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", ".hidden", "a\n", "é", 1], ids=repr)
def test_the_index_of_a_chunk_is_the_name_of_a_folder(value: object) -> None:
    with pytest.raises(ValidationError):
        IndexDocumentChunk.model_validate({**VALID[IndexDocumentChunk], "index": value})


@pytest.mark.parametrize(
    "value",
    [
        {}, {"accuracy": 0.9, "confidence": 0.9}, {"accuracy": None}, {"accuracy": 0.0},
        {"accuracy": 1.0}, {"accuracy": "0.95"}, {"accuracy": float("nan")}, {"confidence": 1.1},
        {"confidence": float("nan")}, {"confidence": -0.1}, {"precision": 0.9}, "0.95", [0.95],
        True,
    ],
    ids=repr,
)  # fmt: skip
def test_predictions_are_accepted_by_an_accuracy_or_a_confidence(value: object) -> None:
    with pytest.raises(ValidationError):
        PredictFieldDocuments(project_id=1, field_id=2, document_ids=[], accept_at=value)


@pytest.mark.parametrize("value", [0.95, 1, 0])
def test_a_bare_number_to_accept_at_is_refused_for_it_could_be_either(value: float) -> None:
    with pytest.raises(ValidationError, match=r'{"accuracy": .*or {"confidence": '):
        PredictFieldDocuments(project_id=1, field_id=2, document_ids=[], accept_at=value)


@pytest.mark.parametrize("value", ["true", 1, 0, None, "no"], ids=repr)
def test_a_flag_is_true_or_false(value: object) -> None:
    with pytest.raises(ValidationError):
        IndexDocuments(project_id=1, is_incremental=value)


@pytest.mark.parametrize("name", ["tokenizer", "feature_extractor", "classifier"])
@pytest.mark.parametrize(
    "value", ["", "../x", "a/b", "a b", ".x", "x" * 101, "ü", 3, None], ids=repr
)
def test_a_plugin_name_is_one_safe_component(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        TrainFieldModel(project_id=1, field_id=1, **{name: value})


@pytest.mark.parametrize("locale", ["en", "de-AT", "zh_Hant_TW", "sr-Latn"])
def test_locales_are_accepted_in_both_spellings(locale: str) -> None:
    assert IndexDocuments(project_id=1, locale=locale).locale == locale


@pytest.mark.parametrize(
    "locale", ["", "e", "en-", "../en", "en/us", "en\n", "english language", 1]
)
def test_what_is_no_locale_is_refused(locale: object) -> None:
    with pytest.raises(ValidationError):
        IndexDocuments(project_id=1, locale=locale)


@pytest.mark.parametrize("value", [[], "{}", None, 1], ids=repr)
def test_parameters_are_an_object(value: object) -> None:
    with pytest.raises(ValidationError):
        TrainFieldModel(project_id=1, field_id=1, classifier_params=value)


@pytest.mark.parametrize("path", ["", "x" * 4097])
def test_a_documents_path_is_neither_empty_nor_endless(path: str) -> None:
    with pytest.raises(ValidationError):
        IndexDocuments(project_id=1, documents_path=path)


def test_a_result_is_completed_and_read_though_a_later_version_says_more() -> None:
    fields = dict.fromkeys(
        ("project_id", "num_documents", "added", "changed", "removed", "unchanged", "num_skipped"),
        1,
    )
    result = IndexResult(**fields, index_path="x", is_incremental=True, skipped=[])

    assert result.status == "completed"
    said = {**result.model_dump(mode="json"), "num_new": 1}
    assert IndexResult.model_validate(said) == result


def test_an_error_is_what_the_contract_says() -> None:
    error = TaskError(code="X", message="why")

    assert error.model_dump() == {"code": "X", "message": "why", "details": {}, "retryable": False}


def test_an_error_of_a_later_version_is_read_for_what_this_one_knows() -> None:
    error = TaskError(code="X", message="why", details={"at": 1}, retryable=True)
    said = {**error.model_dump(mode="json"), "hint": "new"}
    event = TaskEvent(task_id=1, status=TaskStatus.RETRYING, progress=5, error=error)
    told = {**event.model_dump(mode="json"), "error": said, "weather": "fair"}

    assert TaskError.of_row(said) == error
    assert TaskEvent.model_validate_json(json.dumps(told)) == event


def test_nothing_within_a_record_is_closed() -> None:
    """What one version writes another reads, also where it stands within something else."""
    closed = {
        f"{record.__name__}.{name} holds {part.__name__}"
        for record in _descendants(Record)
        for name, field in record.model_fields.items()
        for part in _models_in(field.annotation)
        if part.model_config.get("extra") != "ignore"
    }
    assert closed == set()


def _descendants(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _descendants(each)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
