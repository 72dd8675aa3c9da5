"""XGBoost behind a few typed functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy import special

from lexiclass.errors import ModelCorrupt, PluginUnavailable
from lexiclass.folds import mixed
from lexiclass.near_duplicates import fingerprints
from lexiclass.plugins.classifiers.xgboost.trees import BoosterShape, checked_booster
from lexiclass.rows import Rows
from lexiclass.serialization import canonical_json, parse_json

Matrix = NDArray[np.float64]

# Fewer values are learned from on one core. Threads wait for each other in every round: on AG News
# two save a third of the time where both cores are free, and take five times as long where they
# are not.
_VALUES_FOR_THREADS = 1_000_000

# XGBoost's word for as many threads as OpenMP has.
_ALL_THREADS = 0


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Documents to learn from.

    Attributes:
        rows: (n, m) features.
        members: (n, k) whether a document has a class.
        weights: (n, k) what it weighs that it has the class, or has not.
    """

    rows: Rows
    members: NDArray[np.bool_]
    weights: Matrix

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Examples:
        """Return some of them."""
        return Examples(self.rows[rows], self.members[rows], self.weights[rows])

    def in_order(self) -> Examples:
        """Return them in an order that follows from what they are."""
        keys = mixed(fingerprints(self.rows) ^ mixed(fingerprints(self.members.astype(np.float32))))
        return self.take(np.argsort(keys, kind="stable"))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained model.

    Attributes:
        booster: XGBoost's own object.
        rounds: The round after which the watched documents were predicted best; the last one where
            none were watched.
    """

    booster: Any
    rounds: int


def boost(
    examples: Examples,
    watched: Examples | None,
    shape: BoosterShape,
    settings: Mapping[str, Any],
    *,
    rounds: int,
    patience: int,
    tell: Callable[[int], None],
) -> Fitted:
    """Add trees round by round, until watched documents are predicted no better for some.

    What XGBoost draws at random it draws by place: of documents that are always in one order it
    takes the same ones, and a tree moves single confidences by a third where it takes others.

    Source: T. Chen, C. Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016.
    """
    threads = int(settings["nthread"])
    examples = examples.in_order()
    watched = None if watched is None else watched.in_order()
    matrix = _matrix(examples.rows, threads)
    loss = None
    if shape.multi_label:
        matrix.set_info(label=examples.members.astype(np.float32))
        loss = _weighted_logistic(examples) if (examples.weights != 1).any() else None
    else:
        own = examples.weights[examples.members]  # one a document
        matrix.set_info(label=examples.members.argmax(axis=1), weight=own)
    watch = None if watched is None else _matrix(watched.rows, threads)
    booster = xgboost.Booster(
        {**settings, **_objective(shape)}, [matrix] if watch is None else [matrix, watch]
    )
    best = Fitted(booster, 0)
    best_loss = np.inf
    for done in range(1, rounds + 1):
        booster.update(matrix, done - 1, loss)
        tell(done)
        if watch is None or watched is None:
            best = Fitted(booster, done)
            continue
        margins = _margins(booster, watch, shape)
        found = _loss(margins, watched, multi_label=shape.multi_label)
        if found < best_loss:
            best, best_loss = Fitted(booster, done), found
        elif done - best.rounds >= patience:
            break
    return best


def predict_margins(
    booster: Any, rows: Rows, shape: BoosterShape, *, threads: int, rounds: int = 0
) -> Matrix:
    """Return (n, k) scores after so many rounds, or all of them."""
    booster.set_param({"nthread": threads})
    return _margins(booster, _matrix(rows, threads), shape, rounds)


def dump_booster(booster: Any, shape: BoosterShape) -> bytes:
    """Return a model as canonical JSON."""
    raw = bytes(booster.save_raw("json"))
    return canonical_json(
        checked_booster(parse_json(raw, file="booster.json"), shape, file="booster.json")
    )


def load_booster(data: bytes, shape: BoosterShape, *, file: str) -> Any:
    """Return a model from JSON; only what was checked gets to XGBoost.

    Raises:
        ModelCorrupt: If it is not such a model.
    """
    document = checked_booster(parse_json(data, file=file), shape, file=file)
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(canonical_json(document)))
    except xgboost.core.XGBoostError as error:
        raise ModelCorrupt(file, f"XGBoost does not read it ({error})") from error
    return booster


def choose_threads(wanted: int | None, rows: Rows) -> int:
    """Return the number of threads to use on some rows, in XGBoost's words."""
    if wanted is not None:
        return wanted
    return 1 if rows.size < _VALUES_FOR_THREADS else _ALL_THREADS


def choose_device(wanted: str) -> str:
    """Return the device to train on.

    Raises:
        PluginUnavailable: If a GPU is wanted where XGBoost can use none.
    """
    if wanted == "cuda" and not _has_gpu():
        raise PluginUnavailable(
            "The classifier 'xgboost' finds no GPU. Set device to 'auto' or 'cpu', or replace "
            "xgboost-cpu: pip uninstall xgboost-cpu && pip install xgboost.",
            details={"device": wanted},
        )
    return "cuda" if wanted != "cpu" and _has_gpu() else "cpu"


@cache
def _has_gpu() -> bool:
    if not xgboost.build_info().get("USE_CUDA", False):
        return False
    matrix = xgboost.DMatrix(np.eye(2, dtype=np.float32), label=[0, 1])
    booster = xgboost.Booster({"device": "cuda", "verbosity": 0}, [matrix])
    try:
        booster.update(matrix, 0)
    except xgboost.core.XGBoostError:
        return False
    # Without a GPU it falls back to the CPU by itself.
    config = parse_json(booster.save_config().encode(), file="configuration")
    return str(config["learner"]["generic_param"]["device"]).startswith("cuda")


def _matrix(rows: Rows, threads: int) -> Any:
    return xgboost.DMatrix(rows, nthread=threads)


def _objective(shape: BoosterShape) -> dict[str, Any]:
    # A fixed start: XGBoost's own, the classes' shares, is infinite where all have a class.
    start = {"objective": shape.objective, "base_score": 0.5}
    return start | ({"num_class": shape.num_outputs} if "multi" in shape.objective else {})


def _weighted_logistic(examples: Examples) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return the loss of a sigmoid per class in which every decision has a weight of its own."""

    def loss(margins: Any, _: Any) -> tuple[Any, Any]:
        probabilities = special.expit(np.asarray(margins, dtype=np.float64))
        gradient = examples.weights * (probabilities - examples.members)
        curvature = examples.weights * np.maximum(probabilities * (1 - probabilities), 1e-16)
        return gradient.astype(np.float32), curvature.astype(np.float32)

    return loss


def _margins(booster: Any, matrix: Any, shape: BoosterShape, rounds: int = 0) -> Matrix:
    predicted = booster.predict(matrix, output_margin=True, iteration_range=(0, rounds))
    margins = np.asarray(predicted, dtype=np.float64)
    if shape.num_outputs > 1 or shape.multi_label:
        return margins.reshape(-1, shape.num_outputs)
    # Of two classes, half for the one and half against the other: their softmax is the sigmoid.
    half = margins.reshape(-1, 1) / 2
    return np.concatenate((-half, half), axis=1)


def _loss(margins: Matrix, watched: Examples, *, multi_label: bool) -> float:
    if multi_label:
        losses = -special.log_expit(np.where(watched.members, margins, -margins))
    else:
        losses = -special.log_softmax(margins, axis=1) * watched.members
    return float((losses * watched.weights).mean())
