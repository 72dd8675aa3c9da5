"""What an error may hold, whatever it quotes."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lexiclass_core.schemas import (
    MOST_IDS,
    EraseDocuments,
    IndexDocumentChunk,
    PredictDocumentChunk,
    PredictFieldDocuments,
    Request,
    TaskError,
)
from lexiclass_core.storable import is_storable
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import translate
from lexiclass_worker.execution.overrides import project_limits
from lexiclass_worker.setting_groups import LimitSettings

LARGEST = 50_000
LONG: dict[str, Any] = {
    "a long text": "x" * 10**7,
    "many texts": ["x" * 10_000] * 10_000,
    "many numbers": list(range(10**6)),
    "many names": {f"name {number}": number for number in range(10**5)},
    "long names": {"n" * 10**6: 1},
    "lists of lists": [[[[0] * 300] * 300] * 300] * 300,
    "a long number": 10**4_000,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


@pytest.mark.parametrize("details", LONG.values(), ids=LONG.keys())
def test_an_error_is_small_whatever_it_quotes_and_says_that_it_is_cut(details: Any) -> None:
    error = TaskError(code="c", message="m" * 10**6, details={"first": 1, "then": details})
    assert len(error.model_dump_json()) < LARGEST
    assert error.details["is_cut"] is True
    assert error.details["first"] == 1
    assert len(error.message) == 4_000
    assert error.message.endswith("(cut)")


def test_an_error_of_usual_size_stays_as_it_is() -> None:
    details = {"attempts": 1, "missing_document_ids": list(range(100)), "a": {"b": [None, 1.5]}}
    error = TaskError(code="NOT_FOUND", message="so\nit is\t", details=details)
    assert (error.message, error.details) == ("so\nit is\t", details)


@given(message=st.text(), details=st.dictionaries(st.text(), JSON))
def test_an_error_can_be_stored_shown_and_read_again(message: str, details: dict[str, Any]) -> None:
    error = TaskError(code="c", message=f"{message}\x1b[2J\0\ud800", details=details)
    stored = json.loads(json.dumps(error.model_dump(), allow_nan=False))
    assert is_storable(stored)
    assert TaskError.of_row(stored) == error
    assert not {"\x1b", "\0", "\r", "\x7f"} & set(error.message)


def test_what_another_program_has_written_as_an_error_is_bounded_too() -> None:
    error = TaskError.of_row({"code": 7, "traceback": ["line\x1b"] * 10**5})
    assert error is not None
    assert len(error.model_dump_json()) < LARGEST


WRONG: dict[str, tuple[type[Request], dict[str, Any]]] = {
    "texts": (PredictFieldDocuments, {"field_id": 1, "document_ids": ["1"] * 10**6}),
    "zeros": (EraseDocuments, {"document_ids": [0] * 10**6}),
    "of a chunk": (
        PredictDocumentChunk, {"field_id": 1, "model_version": 1, "documents": [None] * 10**6}
    ),
    "of shards": (
        IndexDocumentChunk,
        {"build": "m", "index": "i", "tokenizer": "icu", "locale": "en", "shards": [[0]] * 10**4},
    ),
    "too many": (EraseDocuments, {"document_ids": [1] * (MOST_IDS + 1)}),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "arguments"), WRONG.values(), ids=WRONG.keys())
def test_a_million_wrong_ids_are_one_problem_and_take_no_memory(
    schema: type[Request], arguments: dict[str, Any]
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError) as raised:
            schema.model_validate({"project_id": 1, **arguments})
        described = translate(raised.value).as_task_error()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(described.details["problems"]) <= 2
    assert most < 2**20


@pytest.mark.parametrize("limit", [None, 3])
def test_predictions_of_a_project_have_a_limit_if_it_is_set(limit: int | None) -> None:
    settings = Settings(limits=LimitSettings(predictions_per_project=limit))
    limits = project_limits(settings)
    assert limits.get("predict_field_documents") == limits.get("predict_document_chunk") == limit
