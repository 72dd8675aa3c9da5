"""Versions side by side."""

from typing import Any

import pytest

from lexiclass_core.models import Model
from lexiclass_worker.admin.comparison import compare


def version(number: int, *, digest: str | None = "d", **metrics: Any) -> Model:
    manifest = {} if digest is None else {"training_digest": digest, "spec": {"classifier": "svm"}}
    return Model(
        version=number, metrics=metrics, manifest=manifest, test_errors=metrics.pop("wrong", None)
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
