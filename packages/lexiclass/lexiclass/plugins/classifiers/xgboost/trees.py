"""Checking a stored XGBoost model before XGBoost reads it.

XGBoost trusts what it reads: a child or feature number out of range, or a cycle, ends the process
or reads foreign memory (measured with 3.2: 37 of 300 damaged files in its binary format UBJ killed
the process, none in JSON, where only valid numbers in wrong places do). So models are kept in JSON,
and only a document rebuilt from parts that were checked here is ever handed to XGBoost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import ModelCorrupt

# XGBoost's parent number of a root.
_NO_PARENT = 2**31 - 1

_INTEGERS = ("left_children", "right_children", "parents", "split_indices", "default_left")
_NUMBERS = ("split_conditions", "base_weights", "loss_changes", "sum_hessian")

_MAX_NODES = 2**24

_LARGEST_NUMBER = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoosterShape:
    """What a model must be like."""

    num_features: int
    num_classes: int
    multi_label: bool

    @property
    def objective(self) -> str:
        """XGBoost's name of the loss."""
        several = self.num_classes > 2 and not self.multi_label
        return "multi:softprob" if several else "binary:logistic"

    @property
    def num_outputs(self) -> int:
        """Scores per document, and trees per round: one decides between two classes."""
        return self.num_classes if self.num_classes > 2 or self.multi_label else 1


def checked_booster(document: Any, shape: BoosterShape, *, file: str) -> dict[str, Any]:
    """Return a model's JSON, rebuilt from nothing but what was checked.

    Raises:
        ModelCorrupt: If it is not such a model, or has something XGBoost must not be given.
    """
    try:
        return _rebuild(document, shape)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelCorrupt(file, f"not a model of XGBoost ({error!r})") from error


def _rebuild(document: Any, shape: BoosterShape) -> dict[str, Any]:
    learner = document["learner"]
    booster = learner["gradient_booster"]
    model = booster["model"]
    version = [int(number) for number in document["version"]]
    _require(booster["name"] == "gbtree", "another booster than gbtree")
    _require(learner["objective"]["name"] == shape.objective, "another objective")
    stored = learner["learner_model_param"]
    _require(int(stored["num_feature"]) == shape.num_features, "another number of features")
    parallel = model["gbtree_model_param"]["num_parallel_tree"]
    _require(int(parallel) == 1, "several trees a round and output")
    trees = model["trees"]
    _require(0 < len(trees) <= _MAX_NODES, "no trees")
    _require(len(trees) % shape.num_outputs == 0, "rounds with outputs missing")
    outputs = list(range(shape.num_outputs))
    rounds = len(trees) // shape.num_outputs
    _require(model["tree_info"] == outputs * rounds, "trees of unknown outputs")
    many_classes = shape.objective == "multi:softprob"
    num_class = shape.num_outputs if many_classes else 0
    return {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
                    "iteration_indptr": list(range(0, len(trees) + 1, shape.num_outputs)),
                    "tree_info": outputs * rounds,
                    "trees": [
                        _checked_tree(tree, number, shape) for number, tree in enumerate(trees)
                    ],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": _base_score(stored["base_score"], shape.num_outputs),
                "boost_from_average": "0",
                "num_class": str(num_class),
                "num_feature": str(shape.num_features),
                "num_target": "1" if many_classes else str(shape.num_outputs),
            },
            "objective": {
                "name": shape.objective,
                **(
                    {"softmax_multiclass_param": {"num_class": str(num_class)}}
                    if many_classes
                    else {"reg_loss_param": {"scale_pos_weight": "1"}}
                ),
            },
        },
        "version": version,
    }


def _checked_tree(tree: Any, number: int, shape: BoosterShape) -> dict[str, Any]:
    size = int(tree["tree_param"]["num_nodes"])
    _require(0 < size <= _MAX_NODES, "a tree without nodes")
    _require(int(tree["tree_param"]["num_deleted"]) == 0, "deleted nodes")
    _require(not any(tree["split_type"]), "splits by category")
    integers = {name: _array(tree[name], "i", size) for name in _INTEGERS}
    numbers = {name: _array(tree[name], "if", size) for name in _NUMBERS}
    left, right = integers["left_children"], integers["right_children"]
    inner = np.flatnonzero(left != -1)
    _require(np.array_equal(inner, np.flatnonzero(right != -1)), "nodes with one child")
    children = np.concatenate((left[inner], right[inner]))
    # Larger numbers than the parent's: there is no way round in a circle.
    _require(bool((children > np.tile(inner, 2)).all() and (children < size).all()), "bad children")
    parents = np.full(size, _NO_PARENT, dtype=np.int64)
    parents[children] = np.tile(inner, 2)
    _require(len(np.unique(children)) == len(children) == size - 1, "nodes outside the tree")
    _require(np.array_equal(parents, integers["parents"]), "other parents than children say")
    features = integers["split_indices"]
    _require(bool((features >= 0).all() and (features < shape.num_features).all()), "bad features")
    _require(bool(np.isin(integers["default_left"], (0, 1)).all()), "bad directions")
    return {
        **{name: array.tolist() for name, array in (integers | numbers).items()},
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "id": number,
        "split_type": [0] * size,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(shape.num_features),
            "num_nodes": str(size),
            "size_leaf_vector": "1",
        },
    }


def _array(values: Any, kinds: str, size: int) -> NDArray[Any]:
    array = np.array(values)
    _require(array.dtype.kind in kinds and array.shape == (size,), "an array of another kind")
    _require(bool((np.abs(array) <= _LARGEST_NUMBER).all()), "numbers that are not finite")
    return array


def _base_score(text: str, num_outputs: int) -> str:
    """Return the initial score in XGBoost's own spelling; older versions write no brackets."""
    scores = [float(part) for part in text.strip("[]").split(",")]
    finite = bool(np.isfinite(scores).all())
    _require(len(scores) in {1, num_outputs} and finite, "a bad initial score")
    return text


def _require(condition: bool, problem: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise ValueError(problem)
