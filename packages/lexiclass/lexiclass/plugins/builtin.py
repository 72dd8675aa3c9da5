"""The plugins of this package. Nothing heavy is imported to describe them."""

from __future__ import annotations

from functools import cache

from lexiclass.plugins.base import InputKind, PluginType, RowKind
from lexiclass.plugins.classifiers.parameters import TransformerParameters, XgboostParameters
from lexiclass.plugins.classifiers.svm.parameters import SvmParameters
from lexiclass.plugins.entry_points import load_entry_points
from lexiclass.plugins.features.ngrams.bow import BowParameters
from lexiclass.plugins.features.ngrams.tfidf import TfidfParameters
from lexiclass.plugins.features.parameters import FastTextParameters, SbertParameters
from lexiclass.plugins.info import PluginInfo
from lexiclass.plugins.registry import Registry
from lexiclass.plugins.tokenizers.icu.tokenizer import IcuParameters
from lexiclass.plugins.tokenizers.parameters import (
    HuggingFaceParameters,
    SentencePieceParameters,
    SpacyParameters,
)

BUILTIN = (
    PluginInfo(
        name="icu",
        type=PluginType.TOKENIZER,
        description="Unicode words by ICU, with dictionaries for Thai, Chinese, Japanese and more",
        implementation="lexiclass.plugins.tokenizers.icu.tokenizer:IcuTokenizer",
        parameters=IcuParameters,
        requires=("icu4py>=1.2",),
    ),
    PluginInfo(
        name="spacy",
        type=PluginType.TOKENIZER,
        description="Words by spaCy's rules for a language, or by a trained pipeline with lemmas",
        implementation="lexiclass.plugins.tokenizers.spacy.tokenizer:SpacyTokenizer",
        parameters=SpacyParameters,
        requires=("spacy>=3.8",),
        install="packages/lexiclass[spacy]",
    ),
    PluginInfo(
        name="sentencepiece",
        type=PluginType.TOKENIZER,
        description="Pieces of words, learned from the training texts; knows no language",
        implementation="lexiclass.plugins.tokenizers.sentencepiece:SentencePieceTokenizer",
        parameters=SentencePieceParameters,
        requires=("sentencepiece>=0.2.1",),
        install="packages/lexiclass[sentencepiece]",
    ),
    PluginInfo(
        name="huggingface",
        type=PluginType.TOKENIZER,
        description="Tokens of a pretrained model: its tokenizer.json",
        implementation="lexiclass.plugins.tokenizers.huggingface:HuggingFaceTokenizer",
        parameters=HuggingFaceParameters,
        requires=("tokenizers>=0.21",),
        install="packages/lexiclass[huggingface]",
    ),
    PluginInfo(
        name="bow",
        type=PluginType.FEATURE_EXTRACTOR,
        description="Bag of words: counts of n-grams",
        implementation="lexiclass.plugins.features.ngrams.bow:BowExtractor",
        parameters=BowParameters,
    ),
    PluginInfo(
        name="tfidf",
        type=PluginType.FEATURE_EXTRACTOR,
        description="Counts of n-grams, damped where many documents have them",
        implementation="lexiclass.plugins.features.ngrams.tfidf:TfidfExtractor",
        parameters=TfidfParameters,
    ),
    PluginInfo(
        name="fasttext",
        type=PluginType.FEATURE_EXTRACTOR,
        description="Means of word vectors, learned with the parts of words or read from a file",
        implementation="lexiclass.plugins.features.fasttext.extractor:FastTextExtractor",
        parameters=FastTextParameters,
        gives=RowKind.DENSE,
        requires=("gensim>=4.4",),
        install="packages/lexiclass[fasttext]",
    ),
    PluginInfo(
        name="sbert",
        type=PluginType.FEATURE_EXTRACTOR,
        description="Embeddings of whole texts by a pretrained sentence-transformers model",
        implementation="lexiclass.plugins.features.sbert.extractor:SbertExtractor",
        parameters=SbertParameters,
        input=InputKind.TEXT,
        gives=RowKind.DENSE,
        requires=("sentence-transformers>=6.0", "transformers>=5.0", "torch>=2.10"),
        install="packages/lexiclass[sbert]",
    ),
    PluginInfo(
        name="svm",
        type=PluginType.CLASSIFIER,
        description="Linear support vector machine with calibrated probabilities",
        implementation="lexiclass.plugins.classifiers.svm.classifier:SvmClassifier",
        parameters=SvmParameters,
        training_unit="fits",
        multi_label=True,
        requires=("scikit-learn>=1.6",),
    ),
    PluginInfo(
        name="xgboost",
        type=PluginType.CLASSIFIER,
        description="Gradient-boosted trees with calibrated probabilities",
        implementation="lexiclass.plugins.classifiers.xgboost.classifier:XgboostClassifier",
        parameters=XgboostParameters,
        training_unit="rounds",
        multi_label=True,
        requires=("xgboost-cpu>=3.0 | xgboost>=3.0",),
        install="packages/lexiclass[xgboost]",
    ),
    PluginInfo(
        name="transformer",
        type=PluginType.CLASSIFIER,
        description="Pretrained neural encoder of texts, fine-tuned",
        implementation="lexiclass.plugins.classifiers.transformer.classifier:TransformerClassifier",
        parameters=TransformerParameters,
        input=InputKind.TEXT,
        multi_label=True,
        requires=("torch>=2.10", "transformers>=5.0", "tokenizers>=0.21", "safetensors>=0.5"),
        install="packages/lexiclass[transformer]",
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
