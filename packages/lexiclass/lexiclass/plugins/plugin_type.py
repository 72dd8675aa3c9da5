"""The kinds of plugins. Apart from their base classes, which need NumPy, for command lines."""

from __future__ import annotations

from enum import StrEnum


class PluginType(StrEnum):
    """The three places of a pipeline."""

    TOKENIZER = "tokenizer"
    FEATURE_EXTRACTOR = "feature_extractor"
    CLASSIFIER = "classifier"
