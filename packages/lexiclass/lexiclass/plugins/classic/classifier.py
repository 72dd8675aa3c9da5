"""Classifiers written for the predecessor, with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import InvalidParameters, ModelCorrupt, listed
from lexiclass.folds import stratified_folds
from lexiclass.labels import Labels, encode_labels, label_codes, read_classes
from lexiclass.near_duplicates import shares_of_groups
from lexiclass.plugins.base import PluginProgress
from lexiclass.plugins.classic.scores import (
    ScoreReader,
    check_scores,
    class_columns,
    fit_reader,
    load_reader,
)
from lexiclass.plugins.classic.state import load_instance, save_instance
from lexiclass.plugins.classifiers.calibrated import RowClassifier
from lexiclass.plugins.features.rows import evidence
from lexiclass.plugins.training_rows import TrainingRows
from lexiclass.serialization import read_json, write_json
from lexiclass.targets import Targets

_CALIBRATION_FOLDS = 3
_SHARES = "shares"


class ClassicClassifier(RowClassifier):
    """A classifier with ``train(X, y)`` and ``predict(X) -> (labels, scores)``.

    Its scores become calibrated probabilities by scores of documents that further instances were
    not trained on; see :mod:`lexiclass.plugins.classic.scores`.
    """

    def __init__(self, make: Callable[[], Any], *, name: str) -> None:
        self._make = make
        self._name = name
        self._instance = make()
        self._reader: ScoreReader | None = None
        # Models of earlier versions have none.
        self._shares: NDArray[np.float64] | None = None

    def fit(
        self, training: TrainingRows, labels: Labels, *, progress: PluginProgress | None = None
    ) -> None:
        """Train the instance on everything, and others on parts of it for calibration.

        Raises:
            NotEnoughDocuments: With fewer than 2 documents or classes.
        """
        self.classes, codes = encode_labels(labels)
        features = training.rows
        # Dealt out by what the documents are: another seed need not move confidences.
        folds = stratified_folds(codes, _CALIBRATION_FOLDS, 0, training.keys)
        held_out_folds = np.unique(folds[folds >= 0])
        steps = len(held_out_folds) + 1
        self._train(self._instance, features, codes)
        knows = _evidence(features) > 0
        own_predicted, own_scores = self._predict(self._instance, features)
        if progress is not None:
            progress(1, steps)
        predicted = np.zeros(len(codes), dtype=np.intp)
        scores = np.zeros_like(own_scores)
        told = np.zeros(len(codes), dtype=np.bool_)
        for step, fold in enumerate(held_out_folds, start=2):
            instance = self._make()
            outside = np.flatnonzero(folds == fold)
            inside = np.flatnonzero(folds != fold)
            seen = training.relearned(folds != fold)
            self._train(instance, seen(_rows(features, inside)), codes[inside])
            held_out_rows = seen(_rows(features, outside))
            known = _evidence(held_out_rows) > 0
            told[outside] = known
            predicted[outside], fold_scores = self._predict(instance, held_out_rows)
            if fold_scores.ndim == 2:
                columns = class_columns(predicted[outside][known], fold_scores[known])
                fold_scores = fold_scores[:, columns]
            scores[outside] = fold_scores
            if progress is not None:
                progress(step, steps)
        # What rests on nothing gets the classes' frequencies, whatever its scores are: of a length
        # of 0 they may be no numbers.
        scored = (folds >= 0) & told
        weights = shares_of_groups(training.keys)[scored]
        self.num_calibration_documents = round(float(weights.sum()))
        held_out = (predicted[scored], scores[scored], codes[scored])
        trained_on = (own_predicted[knows], own_scores[knows])
        self._reader = fit_reader(held_out, trained_on, len(self.classes), weights)
        self._shares = Targets.encode(labels, multi_label=False).shares(training.left_out)

    def predict_proba(self, features: Any) -> NDArray[np.float64]:
        """Return (n, num_classes) calibrated probabilities."""
        if self._reader is None:
            raise InvalidParameters(f"Classifier {self._name!r} is not trained; train it first.")
        if _num_rows(features) == 0:
            return np.empty((0, len(self.classes)))
        probabilities = self._reader(*self._predict(self._instance, features))
        if self._shares is not None:
            probabilities[_evidence(features) == 0] = self._shares
        return probabilities

    def save(self, directory: Path) -> None:
        """Store classes, calibration and the instance; see :func:`save_instance`."""
        if self._reader is None:
            raise InvalidParameters(f"Classifier {self._name!r} is not trained; train it first.")
        write_json(directory / "classes.json", list(self.classes))
        shares = {} if self._shares is None else {_SHARES: self._shares.tolist()}
        write_json(directory / "scores.json", {**self._reader.state(), **shares})
        (directory / "instance").mkdir()
        save_instance(self._instance, directory / "instance")

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; see :meth:`lexiclass.plugins.base.Plugin.load`."""
        self.classes = read_classes(directory / "classes.json")
        state = read_json(directory / "scores.json")
        self._reader = load_reader(state, num_classes=len(self.classes), file="scores.json")
        self._shares = _read_shares(state, len(self.classes))
        self._instance = load_instance(self._instance, directory / "instance")

    def _train(self, instance: Any, features: Any, codes: NDArray[np.intp]) -> None:
        names = list(map(self.classes.__getitem__, codes.tolist()))
        instance.train(_as_matrix(features), names)

    def _predict(
        self,
        instance: Any,
        features: Any,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        labels, scores = instance.predict(_as_matrix(features))
        try:
            predicted = label_codes([str(label) for label in labels], self.classes)
        except KeyError as error:
            raise InvalidParameters(
                f"Classifier {self._name!r} predicted {error}, which is not a class it was "
                f"trained on: {listed(self.classes)}."
            ) from error
        return predicted, check_scores(scores, len(predicted), len(self.classes), self._name)


def _read_shares(state: Mapping[str, Any], num_classes: int) -> NDArray[np.float64] | None:
    if _SHARES not in state:
        return None
    try:
        shares = np.array(state[_SHARES], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelCorrupt("scores.json", f"no shares of classes ({error})") from error
    if shares.shape != (num_classes,) or not 0.999 < shares.sum() < 1.001 or shares.min() <= 0:
        raise ModelCorrupt("scores.json", f"not the shares of {num_classes} classes")
    return shares


def _evidence(features: Any) -> NDArray[np.float64]:
    """Return (n,) what each row rests on; of a text, whether there is one."""
    if _is_sparse(features):
        return evidence(sparse.csr_array(features))
    if hasattr(features, "shape"):
        return evidence(features)
    is_blank = [isinstance(text, str) and not text.strip() for text in features]
    return np.where(is_blank, 0.0, np.inf)


def _as_matrix(features: Any) -> Any:
    # Classic code multiplies with *, which only the matrix type understands as a product.
    return sparse.csr_matrix(features) if _is_sparse(features) else features


def _rows(features: Any, rows: NDArray[np.intp]) -> Any:
    return features[rows] if hasattr(features, "shape") else [features[row] for row in rows]


def _num_rows(features: Any) -> int:
    return int(features.shape[0]) if _is_sparse(features) else len(features)


def _is_sparse(features: Any) -> bool:
    return bool(sparse.issparse(features))
