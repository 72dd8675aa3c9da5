from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lexiclass import errors


def all_errors(root: Any = errors.LexiClassError) -> Iterator[Any]:
    """The kinds of errors; a module's own refinement of one is of that kind."""
    for leaf in root.__subclasses__():
        if leaf.__module__ == errors.__name__:
            yield leaf
            yield from all_errors(leaf)


@pytest.mark.parametrize("leaf", list(all_errors()), ids=lambda leaf: leaf.__name__)
def test_every_error_is_drawn_in_the_module_with_its_code(leaf: Any) -> None:
    assert f"{leaf.__name__} " in errors.__doc__
    assert leaf.code in errors.__doc__
    assert leaf.retryable is False


def test_codes_tell_kinds_apart() -> None:
    codes = [leaf.code for leaf in all_errors()]
    assert len(codes) == len(set(codes)) == 9


def test_an_error_carries_its_message_and_details() -> None:
    error = errors.InvalidParameters("wrong", details={"a": 1})
    assert (str(error), error.message, error.details) == ("wrong", "wrong", {"a": 1})
    assert errors.LexiClassError("x").details == {}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            errors.NotEnoughDocuments(num_documents=1, num_classes=1),
            ["at least 2 documents of 2 classes", "found 1 document", "Label more"],
        ),
        (
            errors.PluginNotFound("classifier", "svn", ["svm", "xgboost"]),
            ["'svn'", "svm, xgboost", "Did you mean 'svm'?"],
        ),
        (errors.PluginNotFound("classifier", "x", []), ["known: none"]),
        (errors.ModelCorrupt("a.json", "missing"), ["'a.json'", "missing", "again"]),
        (errors.DocumentUnreadable("missing", path="x.txt"), ["'x.txt'", "missing"]),
        (errors.DocumentUnreadable("binary"), ["Document can't be read: binary"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_messages_say_what_was_found_and_what_to_do(
    error: errors.LexiClassError,
    expected: list[str],
) -> None:
    assert all(part in error.message for part in expected)
    json.dumps(error.details)
