"""Versions side by side."""

from typing import Any

import pytest

from lexiclass_core.models import Model
from lexiclass_worker.admin.comparison import compare
from lexiclass_worker.repositories.labels import LabelChanges


def version(number: int, *, digest: str | None = "d", **metrics: Any) -> Model:
    manifest = {} if digest is None else {"training_digest": digest, "spec": {"classifier": "svm"}}
    wrong = metrics.pop("wrong", None)
    labels, predicted = metrics.pop("labels", None), metrics.pop("predicted", None)
    return Model(
        version=number,
        metrics=metrics,
        manifest=manifest,
        test_errors=wrong,
        test_error_labels=labels,
        test_error_predictions=predicted,
    )


def test_versions_are_held_against_the_first() -> None:
    test_set = {"digest": "t", "num_documents": 9}
    scores = {"animals": {"f1_score": 0.5}}
    found = compare(
        [
            version(1, test_set=test_set, wrong=[1, 2, 3], evaluation={"accuracy": 0.5}),
            version(
                3, test_set=test_set, wrong=[3, 4],
                evaluation={"accuracy": 0.7, "per_class_metrics": scores},
            ),
        ]
    )  # fmt: skip

    assert found.measures["accuracy"] == [0.5, 0.7]
    assert found.measures["macro_f1"] == [None, None]
    assert found.f1_scores == {"animals": [None, 0.5]}
    assert (found.same_training_set, found.same_test_set) == (True, True)
    (difference,) = found.differences
    assert (difference.version, difference.only_first_right, difference.only_this_right) == (
        3,
        1,
        2,
    )
    assert difference.accuracy.p_value == 1.0
    assert difference.accuracy.value == pytest.approx(1 / 9)
    assert difference.accuracy.interval.low < 0 < difference.accuracy.interval.high
    assert difference.documents_needed is not None
    assert difference.documents_needed > 9
    assert found.parameters == {}


@pytest.mark.parametrize(
    ("second", "training", "test"),
    [
        (version(2, digest=None), None, None),
        (version(2, digest="other", test_set={"digest": "u"}, wrong=[]), False, False),
        (version(2, test_set={"digest": "t"}), True, True),
    ],
)
def test_what_is_not_known_or_not_the_same_is_not_tested(
    second: Model, training: bool | None, test: bool | None
) -> None:
    found = compare([version(1, test_set={"digest": "t"}, wrong=[1]), second])

    assert (found.same_training_set, found.same_test_set) == (training, test)
    assert found.differences == []


def test_what_is_predicted_of_wrong_documents_gives_the_whole_comparison() -> None:
    test_set = {"digest": "t", "num_documents": 9}
    evaluation = {"per_class_metrics": {n: {"support": s, "f1_score": 0} for n, s in SUPPORT}}
    both: dict[str, Any] = {"test_set": test_set, "evaluation": evaluation}
    found = compare(
        [
            version(1, **both, wrong=[1, 2], labels=["a", "b"], predicted=["b", "a"]),
            version(2, **both, wrong=[2, 3], labels=["b", "b"], predicted=["c", "a"]),
        ],
        [LabelChanges(added=4, changed=1)],
    )

    (difference,) = found.differences
    paired = difference.comparison
    assert paired is not None
    assert (paired.num_documents, paired.num_changed) == (9, 3)
    assert (paired.fixed, paired.broken) == ([1], [3])
    assert (paired.accuracy.first, paired.accuracy.second) == pytest.approx((7 / 9, 7 / 9))
    assert {each.name: each.support for each in paired.classes} == {"a": 5, "b": 4, "c": 0}
    assert paired.changes is not None
    assert (paired.changes.num_labels_added, paired.changes.num_labels_changed) == (4, 1)
    assert paired.name == "version 1"


SUPPORT = (("a", 5), ("b", 4))


@pytest.mark.parametrize(
    "second",
    [
        {"wrong": [2]},
        {"wrong": [2], "labels": ["b"], "predicted": []},
        {"wrong": [2], "labels": ["x"], "predicted": ["a"]},
        {"wrong": [2, 3, 4, 5, 6], "labels": ["b"] * 5, "predicted": ["a"] * 5},
    ],
)
def test_what_does_not_fit_together_is_not_compared_by_class(second: dict[str, Any]) -> None:
    evaluation = {"per_class_metrics": {n: {"support": s, "f1_score": 0} for n, s in SUPPORT}}
    both: dict[str, Any] = {
        "test_set": {"digest": "t", "num_documents": 9},
        "evaluation": evaluation,
    }
    first = version(1, **both, wrong=[], labels=[], predicted=[])

    (difference,) = compare([first, version(2, **both, **second)]).differences

    assert difference.comparison is None
    assert difference.only_first_right == len(second["wrong"])


def test_the_same_model_trained_again_is_said() -> None:
    first, second = version(1), version(2)
    first.manifest["model_digest"] = second.manifest["model_digest"] = "m"

    (changes,) = compare([first, second]).changes

    assert changes.is_same_model
    assert changes.parameters == {}
