from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lexiclass import InvalidParameters, NotEnoughDocuments
from lexiclass.targets import ClassWeight, Targets

LABEL_SETS = st.lists(st.frozensets(st.sampled_from("abcde")), min_size=2, max_size=40)


def single(labels: list[str]) -> Targets:
    return Targets.encode(labels, multi_label=False)


def several(labels: Sequence[Collection[str]]) -> Targets:
    return Targets.encode(labels, multi_label=True)


def test_classes_are_numbered_in_sorted_order() -> None:
    targets = single(["b", "a", "b"])
    assert targets.classes == ("a", "b")
    assert targets.strata.tolist() == [1, 0, 1]
    assert targets.members.tolist() == [[False, True], [True, False], [False, True]]


def test_a_document_may_have_no_class_or_several() -> None:
    targets = several([["b", "a", "a"], (), {"b"}])
    assert targets.classes == ("a", "b")
    assert targets.members.tolist() == [[True, True], [False, False], [False, True]]
    assert targets.strata.tolist() == [0, 2, 1]  # the rarest of a and b is a


@given(LABEL_SETS)
def test_the_stratum_is_the_rarest_class_of_a_document(label_sets: list[frozenset[str]]) -> None:
    if len(set().union(*label_sets)) < 2:
        return
    targets = several(label_sets)
    sizes = targets.members.sum(axis=0)
    for members, stratum in zip(targets.members, targets.strata, strict=True):
        if members.any():
            assert members[stratum]
            assert sizes[stratum] == sizes[members].min()
        else:
            assert stratum == len(targets.classes)


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "a"]])
def test_too_little_to_learn_from(labels: list[str]) -> None:
    with pytest.raises(NotEnoughDocuments):
        single(labels)
    with pytest.raises(NotEnoughDocuments):
        several([{label} for label in labels])


@pytest.mark.parametrize(
    ("multi_label", "labels", "problem"),
    [
        (False, ["a", {"b"}], "is not a string; only a pipeline with multi_label=True"),
        (True, [{"a"}, "bc"], "needs a set of strings; found 'bc'"),
        (True, [{"a"}, {1, 2}], "needs a set of strings"),
    ],
)
def test_labels_of_the_wrong_kind_are_refused(multi_label: bool, labels: Any, problem: str) -> None:
    with pytest.raises(InvalidParameters, match=problem):
        Targets.encode(labels, multi_label=multi_label)


def test_some_documents_keep_all_classes() -> None:
    part = single(["b", "a", "c"]).take(np.array([2]))
    assert (part.classes, part.strata.tolist(), len(part)) == (("a", "b", "c"), [2], 1)


def test_balanced_weights_make_groups_equally_heavy() -> None:
    weights = single(["a"] * 6 + ["b"] * 2).weights("balanced")
    assert weights is not None
    assert weights[1].tolist() == [8 / 12, 8 / 4]
    weights = several([{"a", "b"}] * 2 + [{"a"}] * 6).weights("balanced")
    assert weights is not None
    assert weights[1].tolist() == [8 / 16, 8 / 4]
    assert weights[0][1] == 8 / 12
    assert np.isfinite(weights).all()  # no document is without a


def test_named_weights_and_no_weights() -> None:
    assert single(["a", "b"]).weights(None) is None
    weights = several([{"a"}, {"b"}]).weights({"b": 3})
    assert weights is not None
    assert weights.tolist() == [[1, 1], [1, 3]]
    with pytest.raises(InvalidParameters, match="names 'c', which no training document has"):
        single(["a", "b"]).weights({"c": 2.0})


@pytest.mark.parametrize("setting", ["even", {"a": 0}, {"a": -1}, {"a": "much"}, [1, 2]])
def test_what_is_no_weight_is_refused(setting: dict[str, Any] | list[int] | str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ClassWeight).validate_python(setting)
