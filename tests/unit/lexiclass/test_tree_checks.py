"""What XGBoost must never be given; needs no XGBoost."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import ModelCorrupt
from lexiclass.plugins.classifiers.xgboost.trees import BoosterShape, checked_booster

SHAPE = BoosterShape(num_features=3, num_classes=2, multi_label=False)
ROOT = 2**31 - 1


def tree(number: int = 0) -> dict[str, Any]:
    """Make a tree with two splits."""
    return {
        "base_weights": [0.0, 0.5, -0.5, 1.0, -1.0],
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": [0, 0, 1, 0, 0],
        "id": number,
        "left_children": [1, -1, 3, -1, -1],
        "loss_changes": [3.0, 0.0, 1.0, 0.0, 0.0],
        "parents": [ROOT, 0, 0, 2, 2],
        "right_children": [2, -1, 4, -1, -1],
        "split_conditions": [0.5, 0.5, 0.25, 1.0, -1.0],
        "split_indices": [2, 0, 1, 0, 0],
        "split_type": [0, 0, 0, 0, 0],
        "sum_hessian": [5.0, 2.0, 3.0, 1.0, 2.0],
        "tree_param": {
            "num_deleted": "0",
            "num_feature": "3",
            "num_nodes": "5",
            "size_leaf_vector": "1",
        },
    }


def document() -> dict[str, Any]:
    return {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "2"},
                    "iteration_indptr": [0, 1, 2],
                    "tree_info": [0, 0],
                    "trees": [tree(0), tree(1)],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "[5E-1]",
                "boost_from_average": "0",
                "num_class": "0",
                "num_feature": "3",
                "num_target": "1",
            },
            "objective": {
                "name": "binary:logistic",
                "reg_loss_param": {"scale_pos_weight": "1"},
            },
        },
        "version": [3, 2, 0],
    }


def check(changed: object) -> dict[str, Any]:
    return checked_booster(changed, SHAPE, file="booster.json")


def test_a_good_model_stays_as_it_is() -> None:
    assert check(document()) == document()


def test_what_is_not_known_is_left_behind() -> None:
    changed = document()
    changed["learner"]["attributes"] = {"best_iteration": "7"}
    changed["learner"]["feature_names"] = ["x"] * 10**5
    changed["learner"]["gradient_booster"]["model"]["trees"][0]["surprise"] = [1] * 99
    changed["config"] = {"device": "cuda"}
    assert check(changed) == document()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("left_children", [1, -1, 99, -1, -1]),  # out of range
        ("left_children", [1, -1, -7, -1, -1]),
        ("left_children", [0, -1, 3, -1, -1]),  # a root that is its own child
        ("left_children", [1, -1, 0, -1, -1]),  # a way round in a circle
        ("left_children", [1, -1, 4, -1, -1]),  # one child twice, the other never
        ("left_children", [1, -1, -1, -1, -1]),  # one child only
        ("left_children", [1, -1, 3, -1]),
        ("left_children", [1, -1, 3, -1, -1, -1]),
        ("left_children", [1.0, -1.0, 3.0, -1.0, -1.0]),
        ("left_children", ["1", "-1", "3", "-1", "-1"]),
        ("left_children", [[1], [-1], [3], [-1], [-1]]),
        ("left_children", [10**30, -1, 3, -1, -1]),
        ("left_children", None),
        ("parents", [ROOT, 0, 0, 1, 2]),
        ("parents", [0, 0, 0, 2, 2]),
        ("split_indices", [3, 0, 1, 0, 0]),
        ("split_indices", [-1, 0, 1, 0, 0]),
        ("split_indices", [10**9, 0, 1, 0, 0]),
        ("default_left", [2, 0, 1, 0, 0]),
        ("split_conditions", [float("nan")] * 5),
        ("split_conditions", [1e300] * 5),
        ("base_weights", [0.0] * 4),
        ("sum_hessian", [None] * 5),
        ("split_type", [1, 0, 0, 0, 0]),
        ("tree_param", {"num_deleted": "0", "num_nodes": "6"}),
        ("tree_param", {"num_deleted": "1", "num_nodes": "5"}),
        ("tree_param", {"num_deleted": "0", "num_nodes": "-5"}),
    ],
)
def test_a_tree_that_would_lead_astray_is_refused(name: str, values: Any) -> None:
    changed = document()
    changed["learner"]["gradient_booster"]["model"]["trees"][1][name] = values
    with pytest.raises(ModelCorrupt) as caught:
        check(changed)
    assert caught.value.file == "booster.json"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("learner", []),
        ("learner.gradient_booster.name", "dart"),
        ("learner.gradient_booster.model.tree_info", [0, 7]),
        ("learner.gradient_booster.model.trees", []),
        ("learner.gradient_booster.model.gbtree_model_param", {"num_parallel_tree": "4"}),
        ("learner.objective.name", "multi:softprob"),
        ("learner.learner_model_param.num_feature", "4"),
        ("learner.learner_model_param.base_score", "[nan]"),
        ("learner.learner_model_param.base_score", "[1,2,3]"),
        ("learner.learner_model_param.base_score", 0.5),
        ("version", "new"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    path: str, value: dict[str, str] | float | list[int] | str
) -> None:
    changed = document()
    place = changed
    *way, last = path.split(".")
    for name in way:
        place = place[name]
    place[last] = value
    with pytest.raises(ModelCorrupt):
        check(changed)


@pytest.mark.parametrize("value", [None, 3, [], "x", {"learner": None}])
def test_what_is_no_model_is_refused(value: Any) -> None:
    with pytest.raises(ModelCorrupt):
        check(value)


GOOD = json.dumps(document())
JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=6,
)


@given(st.data())
def test_any_change_is_refused_or_harmless(data: st.DataObject) -> None:
    changed = deepcopy(json.loads(GOOD))
    place: object = changed
    while isinstance(place, (dict, list)) and place:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or data.draw(st.integers(0, 5)) == 0:
            place[key] = data.draw(JSON)
            break
        place = place[key]
    try:
        found = check(changed)
    except ModelCorrupt:
        return
    for checked in found["learner"]["gradient_booster"]["model"]["trees"]:
        pairs = zip(checked["left_children"], checked["right_children"], strict=True)
        for node, children in enumerate(pairs):
            assert children == (-1, -1) or all(node < child < 5 for child in children)
        assert all(0 <= feature < 3 for feature in checked["split_indices"])
