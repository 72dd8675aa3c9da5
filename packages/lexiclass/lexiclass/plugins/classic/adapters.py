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
from scipy import sparse

from lexiclass.errors import InvalidParameters
from lexiclass.plugins.base import (
    FeatureExtractor,
    Plugin,
    PluginContext,
    PluginType,
    Tokenizer,
)
from lexiclass.plugins.classic.classifier import ClassicClassifier
from lexiclass.plugins.classic.state import load_instance, save_instance

_REQUIRED_METHODS = {
    PluginType.TOKENIZER: ("tokenize",),
    PluginType.FEATURE_EXTRACTOR: ("fit", "transform", "num_features"),
    PluginType.CLASSIFIER: ("train", "predict"),
}


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

    def make() -> Any:
        return implementation(**keywords)

    match plugin_type:
        case PluginType.TOKENIZER:
            return ClassicTokenizer(make())
        case PluginType.FEATURE_EXTRACTOR:
            return ClassicFeatureExtractor(make())
        case PluginType.CLASSIFIER:
            return ClassicClassifier(make, name=name)


class _Stored(Plugin):
    """A plugin that is an instance of a classic class, and is stored as that is."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance

    def save(self, directory: Path) -> None:
        """Store the instance; see :func:`save_instance`."""
        save_instance(self._instance, directory)

    def load(self, directory: Path) -> None:
        """Restore the instance; see :func:`load_instance`."""
        self._instance = load_instance(self._instance, directory)


class ClassicTokenizer(_Stored, Tokenizer):
    """A tokenizer with ``tokenize(text)``, and perhaps ``tokenize_batch(texts)``."""

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of tokens per text."""
        if hasattr(self._instance, "tokenize_batch"):
            return [list(tokens) for tokens in self._instance.tokenize_batch(texts)]
        return [list(self._instance.tokenize(text)) for text in texts]


class ClassicFeatureExtractor(_Stored, FeatureExtractor):
    """A feature extractor with ``fit``, ``transform`` and ``num_features``."""

    def fit_transform(self, documents: Any) -> sparse.csr_array:
        """Fit on lists of tokens (or on texts) and return their rows."""
        lists = _as_lists(documents)
        self._instance.fit(lists)
        return self._rows(lists)

    def transform(self, documents: Any) -> sparse.csr_array:
        """Return (n, num_features) float32 rows."""
        return self._rows(_as_lists(documents))

    def num_features(self) -> int:
        """Return the number of columns."""
        return int(self._instance.num_features())

    def _rows(self, lists: Sequence[Any]) -> sparse.csr_array:
        rows = sparse.csr_array(self._instance.transform(lists), dtype=np.float32)
        expected = (len(lists), self.num_features())
        if rows.shape != expected:
            raise InvalidParameters(
                f"{type(self._instance).__name__}.transform returned shape {rows.shape}, "
                f"expected {expected}."
            )
        return rows


def _as_lists(documents: Any) -> list[Any]:
    return documents.to_lists() if hasattr(documents, "to_lists") else list(documents)
