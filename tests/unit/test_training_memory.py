"""The estimate of what a training takes, against one that was trained."""

import gc
import os
import threading
from typing import Any

import numpy as np
import pytest

import lexiclass.plugins.classifiers.svm.liblinear  # noqa: F401 - what the fork server has loaded
from lexiclass import Pipeline, PipelineSpec
from lexiclass.tokens import TokenMatrix
from lexiclass_worker.errors import MemoryLimitReached
from lexiclass_worker.ml.memory import (
    CorpusSize,
    estimate_character_bytes,
    estimate_for,
    estimate_training_bytes,
    require_memory,
)
from lexiclass_worker.sandbox.memory import read_memory

SIZE = {"num_tokens": 1_000_000, "num_terms": 50_000, "num_classes": 10}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extractor", "analyzer", "documents", "classes"),
    [
        ("bow", "word", 4_000, 4),
        ("tfidf", "word", 4_000, 4),
        ("tfidf", "word", 900, 300),
        ("tfidf", "char_wb", 4_000, 4),
        ("tfidf", "both", 4_000, 4),
    ],
)
def test_a_training_stays_below_its_estimate(
    extractor: str, analyzer: str, documents: int, classes: int
) -> None:
    length, terms = documents // 40, 30_000
    generator = np.random.default_rng(0)
    ids = (generator.zipf(1.15, documents * length) - 1) % terms
    tokens = TokenMatrix(
        [f"w{number}x" for number in range(terms)],
        ids.astype(np.int32),
        np.arange(0, documents * length + 1, length),
    )
    pipeline = Pipeline(
        PipelineSpec(
            tokenizer="icu",
            feature_extractor=extractor,
            feature_extractor_params={"analyzer": analyzer},
            classifier="svm",
        )
    )
    peak, stopped = [0], threading.Event()
    gc.collect()
    before = read_memory(os.getpid())

    def watch() -> None:
        while not stopped.wait(0.005):
            peak[0] = max(peak[0], read_memory(os.getpid()) - before)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        labels = [str(number % classes) for number in range(documents)]
        pipeline.fit_tokens(tokens, labels, digests=["0"] * documents)
    finally:
        stopped.set()
        watching.join()

    estimate = estimate_for(
        pipeline.spec,
        CorpusSize(documents * length, terms),
        num_documents=documents,
        num_classes=classes,
        num_processes=1,
    )
    assert estimate is not None
    assert 0 < peak[0] <= estimate


@pytest.mark.parametrize(
    "more", [{"num_tokens": 10**7}, {"num_terms": 10**6}, {"num_classes": 50}, {"num_processes": 2}]
)
def test_more_of_anything_takes_more(more: dict[str, int]) -> None:
    assert estimate_training_bytes(**{**SIZE, **more}) > estimate_training_bytes(**SIZE)


@pytest.mark.parametrize(
    "more",
    [
        {"num_tokens": 10**7},
        {"num_terms": 10**6},
        {"num_classes": 50},
        {"num_processes": 2},
        {"lengths": (1, 5)},
        {"lengths": (2, 6)},
        {"max_features": 10**6},
    ],
)
def test_more_of_anything_takes_more_for_characters_too(more: dict[str, Any]) -> None:
    size: dict[str, Any] = {**SIZE, "max_features": 10_000}
    assert estimate_character_bytes(**{**size, **more}) > estimate_character_bytes(**size)


def test_of_very_many_documents_in_very_many_classes_only_some_are_scored() -> None:
    size = {**SIZE, "num_classes": 5_000, "max_features": 1}
    few, many = (
        estimate_training_bytes(**size, num_documents=number) for number in (4_000, 1_000_000)
    )
    assert few == many < 4 * 2**30


@pytest.mark.parametrize("num_classes", [4, 1_000])
def test_runs_of_characters_alone_take_less_than_beside_words(num_classes: int) -> None:
    of_characters, of_both = (
        estimate_for(
            Pipeline(PipelineSpec(feature_extractor_params={"analyzer": analyzer})).spec,
            CorpusSize(1_000_000, 50_000),
            num_documents=10_000,
            num_classes=num_classes,
            num_processes=2,
        )
        for analyzer in ("char_wb", "both")
    )
    assert of_characters is not None
    assert of_both is not None
    assert of_characters < of_both


def test_a_bound_on_the_features_counts() -> None:
    bounded = estimate_training_bytes(**SIZE, max_features=1_000)

    assert bounded < estimate_training_bytes(**SIZE)
    assert estimate_training_bytes(**SIZE, max_features=10**9) == estimate_training_bytes(**SIZE)


def test_what_cannot_fit_is_refused_with_both_figures() -> None:
    with pytest.raises(MemoryLimitReached, match=r"about 3 MiB .* may take 2 MiB") as raised:
        require_memory(3 * 2**20, limit_bytes=2 * 2**20)

    assert raised.value.details == {"limit_bytes": 2 * 2**20, "estimated_bytes": 3 * 2**20}
    assert (raised.value.code, raised.value.retryable) == ("MEMORY_LIMIT", False)


def test_what_fits_or_has_no_limit_is_not_refused() -> None:
    require_memory(2**20, limit_bytes=2**20)
    require_memory(2**60, limit_bytes=None)
