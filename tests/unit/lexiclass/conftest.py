from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lexiclass import Pipeline, PipelineSpec

_WORDS = {
    "sports": "goal match team coach league score penalty stadium".split(),
    "business": "shares profit market bank merger investor trade loan".split(),
    "science": "planet orbit rocket telescope galaxy probe atom laser".split(),
}
_COMMON = "the a of and in it was on that with for as new".split()

Corpus = tuple[list[str], list[str]]


def _make_corpus(per_class: int = 20, seed: int = 0) -> Corpus:
    source = random.Random(seed)
    labels = sorted(_WORDS) * per_class
    source.shuffle(labels)
    texts = [
        " ".join(source.choices(_WORDS[label], k=5) + source.choices(_COMMON, k=8)) + "."
        for label in labels
    ]
    return texts, labels


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    """Make texts of three easy classes, and their labels."""
    return _make_corpus


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return _make_corpus()


@pytest.fixture(scope="session")
def trained(corpus: Corpus) -> Pipeline:
    """Train a pipeline once; tests must not train it again."""
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(*corpus)
    return pipeline
