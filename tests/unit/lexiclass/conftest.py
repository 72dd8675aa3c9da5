from __future__ import annotations

import pytest

from lexiclass import Pipeline, PipelineSpec
from tests.support import easy_corpus
from tests.support.easy_corpus import Corpus, MakeCorpus


@pytest.fixture(scope="session")
def make_corpus() -> MakeCorpus:
    """Make texts of three easy classes, and their labels."""
    return easy_corpus.make_corpus


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return easy_corpus.make_corpus()


@pytest.fixture(scope="session")
def trained(corpus: Corpus) -> Pipeline:
    """Train a pipeline once; tests must not train it again."""
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(*corpus)
    return pipeline
