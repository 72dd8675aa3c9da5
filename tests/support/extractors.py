"""Feature extractors that count words and parts of words, by name."""

from __future__ import annotations

from typing import Any

from lexiclass import PluginContext, default_registry
from lexiclass.plugins.features.ngrams.bow import BowExtractor
from lexiclass.plugins.features.ngrams.tfidf import TfidfExtractor

CountingExtractor = BowExtractor | TfidfExtractor
_KINDS: dict[str, type[CountingExtractor]] = {"bow": BowExtractor, "tfidf": TfidfExtractor}


def counting_extractor(name: str = "bow", **parameters: Any) -> CountingExtractor:
    """A new, untrained one."""
    return default_registry().create(_KINDS[name], name, parameters, PluginContext())
