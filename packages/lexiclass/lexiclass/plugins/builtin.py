"""The plugins of this package. Nothing heavy is imported to describe them."""

from __future__ import annotations

from functools import cache

from lexiclass.plugins.base import PluginType
from lexiclass.plugins.classifiers.svm import SvmParameters
from lexiclass.plugins.entry_points import load_entry_points
from lexiclass.plugins.features.bow import BowParameters
from lexiclass.plugins.features.tfidf import TfidfParameters
from lexiclass.plugins.info import PluginInfo
from lexiclass.plugins.registry import Registry
from lexiclass.plugins.tokenizers.icu import IcuParameters

BUILTIN = (
    PluginInfo(
        name="icu",
        type=PluginType.TOKENIZER,
        description="Unicode words by ICU, with dictionaries for Thai, Chinese, Japanese and more",
        implementation="lexiclass.plugins.tokenizers.icu:IcuTokenizer",
        parameters=IcuParameters,
        requires=("icu4py",),
    ),
    PluginInfo(
        name="bow",
        type=PluginType.FEATURE_EXTRACTOR,
        description="Bag of words: counts of n-grams",
        implementation="lexiclass.plugins.features.bow:BowExtractor",
        parameters=BowParameters,
    ),
    PluginInfo(
        name="tfidf",
        type=PluginType.FEATURE_EXTRACTOR,
        description="Counts of n-grams, damped where many documents have them",
        implementation="lexiclass.plugins.features.tfidf:TfidfExtractor",
        parameters=TfidfParameters,
    ),
    PluginInfo(
        name="svm",
        type=PluginType.CLASSIFIER,
        description="Linear support vector machine with calibrated probabilities",
        implementation="lexiclass.plugins.classifiers.svm:SvmClassifier",
        parameters=SvmParameters,
        requires=("scikit-learn",),
    ),
)


def build_registry() -> Registry:
    """Return a new registry of the plugins built in and those installed by third parties."""
    registry = Registry()
    for info in BUILTIN:
        registry.register(info)
    load_entry_points(registry)
    return registry


@cache
def default_registry() -> Registry:
    """Return the registry used where none is given; what is registered in it stays."""
    return build_registry()
