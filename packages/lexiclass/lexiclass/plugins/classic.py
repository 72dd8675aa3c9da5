"""Plugins written for the predecessor, as they are.

Their protocols are plain methods: a tokenizer has ``tokenize(text)``; a feature extractor
``fit(token_lists)``, ``transform(token_lists)`` and ``num_features()``; a classifier
``train(X, y)`` and ``predict(X) -> (labels, scores)``. The constructor takes the plugin's
parameters by name, and ``locale`` or ``seed`` where its signature names them. To be stored, a
class either has ``save(directory)`` and ``load(directory)`` or keeps plain data in its attributes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import InvalidParameters
from lexiclass.folds import stratified_folds
from lexiclass.labels import encode_labels, label_codes
from lexiclass.plugins.base import (
    Classifier,
    FeatureExtractor,
    Plugin,
    PluginContext,
    PluginProgress,
    PluginType,
    Tokenizer,
)
from lexiclass.plugins.classic_scores import (
    ScoreReader,
    check_scores,
    class_columns,
    fit_reader,
    load_reader,
)
from lexiclass.plugins.plain_state import load_attributes, save_attributes
from lexiclass.serialization import read_json, read_terms, write_json

_REQUIRED_METHODS = {
    PluginType.TOKENIZER: ("tokenize",),
    PluginType.FEATURE_EXTRACTOR: ("fit", "transform", "num_features"),
    PluginType.CLASSIFIER: ("train", "predict"),
}

_CALIBRATION_FOLDS = 3


def adapt(
    plugin_type: PluginType,
    name: str,
    implementation: Callable[..., Any],
    parameters: Mapping[str, Any],
    context: PluginContext,
) -> Plugin:
    """Wrap a new instance of a classic class as a native plugin.

    Raises:
        InvalidParameters: If the class lacks a method of its protocol.
    """
    missing = [m for m in _REQUIRED_METHODS[plugin_type] if not hasattr(implementation, m)]
    if missing:
        raise InvalidParameters(
            f"The {plugin_type} {name!r} has no {', '.join(missing)}; a {plugin_type} needs "
            f"{', '.join(_REQUIRED_METHODS[plugin_type])}, or derives from a class of "
            "lexiclass.plugins.base.",
            details={"type": plugin_type, "name": name, "missing": missing},
        )
    shared = {"locale": context.locale, "seed": context.seed}
    accepted = inspect.signature(implementation).parameters
    keywords = {key: value for key, value in shared.items() if key in accepted} | dict(parameters)

    def make() -> Any:  # noqa: ANN401 - any class with the right methods
        return implementation(**keywords)

    match plugin_type:
        case PluginType.TOKENIZER:
            return ClassicTokenizer(make())
        case PluginType.FEATURE_EXTRACTOR:
            return ClassicFeatureExtractor(make())
        case PluginType.CLASSIFIER:
            return ClassicClassifier(make, name=name, seed=context.seed)


class ClassicTokenizer(Tokenizer):
    """A tokenizer with ``tokenize(text)``, and perhaps ``tokenize_batch(texts)``."""

    def __init__(self, instance: Any) -> None:  # noqa: ANN401
        self._instance = instance

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of tokens per text."""
        if hasattr(self._instance, "tokenize_batch"):
            return [list(tokens) for tokens in self._instance.tokenize_batch(texts)]
        return [list(self._instance.tokenize(text)) for text in texts]

    def save(self, directory: Path) -> None:
        """Store the instance; see :func:`save_instance`."""
        save_instance(self._instance, directory)

    def load(self, directory: Path) -> None:
        """Restore the instance; see :func:`load_instance`."""
        self._instance = load_instance(self._instance, directory)


class ClassicFeatureExtractor(FeatureExtractor):
    """A feature extractor with ``fit``, ``transform`` and ``num_features``."""

    def __init__(self, instance: Any) -> None:  # noqa: ANN401
        self._instance = instance

    def fit_transform(self, documents: Any) -> sparse.csr_array:  # noqa: ANN401
        """Fit on lists of tokens (or on texts) and return their rows."""
        lists = _as_lists(documents)
        self._instance.fit(lists)
        return self._rows(lists)

    def transform(self, documents: Any) -> sparse.csr_array:  # noqa: ANN401
        """Return (n, num_features) float32 rows."""
        return self._rows(_as_lists(documents))

    def num_features(self) -> int:
        """Return the number of columns."""
        return int(self._instance.num_features())

    def save(self, directory: Path) -> None:
        """Store the instance; see :func:`save_instance`."""
        save_instance(self._instance, directory)

    def load(self, directory: Path) -> None:
        """Restore the instance; see :func:`load_instance`."""
        self._instance = load_instance(self._instance, directory)

    def _rows(self, lists: Sequence[Any]) -> sparse.csr_array:
        rows = sparse.csr_array(self._instance.transform(lists), dtype=np.float32)
        expected = (len(lists), self.num_features())
        if rows.shape != expected:
            raise InvalidParameters(
                f"{type(self._instance).__name__}.transform returned shape {rows.shape}, "
                f"expected {expected}."
            )
        return rows


class ClassicClassifier(Classifier):
    """A classifier with ``train(X, y)`` and ``predict(X) -> (labels, scores)``.

    Its scores become calibrated probabilities by scores of documents that further instances were
    not trained on; see :mod:`lexiclass.plugins.classic_scores`.
    """

    def __init__(self, make: Callable[[], Any], *, name: str, seed: int) -> None:
        self._make = make
        self._name = name
        self._seed = seed
        self._instance = make()
        self._reader: ScoreReader | None = None

    def train(
        self,
        features: Any,  # noqa: ANN401
        labels: Sequence[str],
        *,
        progress: PluginProgress | None = None,
    ) -> None:
        """Train the instance on everything, and others on parts of it for calibration.

        Raises:
            NotEnoughDocuments: With fewer than 2 documents or classes.
        """
        self.classes, codes = encode_labels(labels)
        folds = stratified_folds(codes, _CALIBRATION_FOLDS, self._seed)
        held_out_folds = np.unique(folds[folds >= 0])
        steps = len(held_out_folds) + 1
        self._train(self._instance, features, codes)
        trained_on = self._predict(self._instance, features)
        if progress is not None:
            progress(1, steps)
        predicted = np.zeros(len(codes), dtype=np.intp)
        scores = np.zeros_like(trained_on[1])
        for step, fold in enumerate(held_out_folds, start=2):
            instance = self._make()
            outside = np.flatnonzero(folds == fold)
            inside = np.flatnonzero(folds != fold)
            self._train(instance, _rows(features, inside), codes[inside])
            predicted[outside], fold_scores = self._predict(instance, _rows(features, outside))
            if fold_scores.ndim == 2:
                fold_scores = fold_scores[:, class_columns(predicted[outside], fold_scores)]
            scores[outside] = fold_scores
            if progress is not None:
                progress(step, steps)
        scored = folds >= 0
        held_out = (predicted[scored], scores[scored], codes[scored])
        self._reader = fit_reader(held_out, trained_on, len(self.classes))

    def predict_proba(self, features: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Return (n, num_classes) calibrated probabilities."""
        if self._reader is None:
            raise InvalidParameters(f"Classifier {self._name!r} is not trained; train it first.")
        if _num_rows(features) == 0:
            return np.empty((0, len(self.classes)))
        return self._reader(*self._predict(self._instance, features))

    def save(self, directory: Path) -> None:
        """Store classes, calibration and the instance; see :func:`save_instance`."""
        if self._reader is None:
            raise InvalidParameters(f"Classifier {self._name!r} is not trained; train it first.")
        write_json(directory / "classes.json", list(self.classes))
        write_json(directory / "scores.json", self._reader.state())
        (directory / "instance").mkdir()
        save_instance(self._instance, directory / "instance")

    def load(self, directory: Path) -> None:
        """Restore what :meth:`save` stored.

        Raises:
            ModelCorrupt: If the files do not fit together.
        """
        self.classes = tuple(read_terms(directory / "classes.json"))
        state = read_json(directory / "scores.json")
        self._reader = load_reader(state, num_classes=len(self.classes), file="scores.json")
        self._instance = load_instance(self._instance, directory / "instance")

    def _train(self, instance: Any, features: Any, codes: NDArray[np.intp]) -> None:  # noqa: ANN401
        names = list(map(self.classes.__getitem__, codes.tolist()))
        instance.train(_as_matrix(features), names)

    def _predict(
        self,
        instance: Any,  # noqa: ANN401
        features: Any,  # noqa: ANN401
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        labels, scores = instance.predict(_as_matrix(features))
        try:
            predicted = label_codes([str(label) for label in labels], self.classes)
        except KeyError as error:
            raise InvalidParameters(
                f"Classifier {self._name!r} predicted {error}, which is not a class it was "
                f"trained on: {', '.join(self.classes)}."
            ) from error
        return predicted, check_scores(scores, len(predicted), len(self.classes), self._name)


def save_instance(instance: Any, directory: Path) -> None:  # noqa: ANN401
    """Store an instance by its own ``save(directory)``, else by its attributes.

    Raises:
        InvalidParameters: If it has neither ``save`` nor plain attributes; names the attribute.
    """
    if _stores_itself(instance):
        instance.save(directory)
    else:
        save_attributes(instance, directory)


def load_instance(instance: Any, directory: Path) -> Any:  # noqa: ANN401
    """Restore what :func:`save_instance` stored into a new instance; returns the restored one.

    ``load`` may fill the instance in place or, like a class method, return another one.
    """
    if not _stores_itself(instance):
        load_attributes(instance, directory)
        return instance
    loaded = instance.load(directory)
    return loaded if isinstance(loaded, type(instance)) else instance


def _stores_itself(instance: Any) -> bool:  # noqa: ANN401
    return callable(getattr(instance, "save", None)) and callable(getattr(instance, "load", None))


def _as_lists(documents: Any) -> list[Any]:  # noqa: ANN401
    return documents.to_lists() if hasattr(documents, "to_lists") else list(documents)


def _as_matrix(features: Any) -> Any:  # noqa: ANN401
    # Classic code multiplies with *, which only the matrix type understands as a product.
    return sparse.csr_matrix(features) if _is_sparse(features) else features


def _rows(features: Any, rows: NDArray[np.intp]) -> Any:  # noqa: ANN401
    return features[rows] if _is_sparse(features) else [features[row] for row in rows]


def _num_rows(features: Any) -> int:  # noqa: ANN401
    return int(features.shape[0]) if _is_sparse(features) else len(features)


def _is_sparse(features: Any) -> bool:  # noqa: ANN401
    return bool(sparse.issparse(features))
