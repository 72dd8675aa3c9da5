"""gensim's FastText behind one typed function."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from gensim.models.fasttext import FastText

from lexiclass.errors import InvalidParameters
from lexiclass.plugins.features.fasttext.vectors import WordVectors
from lexiclass.plugins.features.parameters import FastTextParameters

_log = logging.getLogger(__name__)

# gensim cuts longer ones off without a word.
_MAX_SENTENCE_TOKENS = 10_000

_ATTEMPTS = 5

# Vectors of a few thousand tokens hardly move in the usual number of passes.
_USUAL_EPOCHS, _MOST_EPOCHS = 10, 100
_ENOUGH_TOKENS = 500_000


def train_word_vectors(
    documents: Iterable[Sequence[str]], parameters: FastTextParameters, *, min_count: int, seed: int
) -> WordVectors | None:
    """Learn vectors of words and of their character n-grams.

    One thread and a seed make the result reproducible. Only n-grams that occur in the words are
    kept: the others were never trained.

    Returns:
        The vectors, or nothing where no word occurs often enough.

    Raises:
        InvalidParameters: If training diverges even at lower learning rates.
    """
    sentences = list(_sentences(documents))
    epochs = _epochs(sum(map(len, sentences))) if parameters.epochs is None else parameters.epochs
    rate = parameters.learning_rate
    for _ in range(_ATTEMPTS):
        model = _new_model(parameters, min_count, rate, seed)
        model.build_vocab(corpus_iterable=sentences)
        if not len(model.wv):
            return None
        # Diverging is checked for afterwards; until then it needs no warnings.
        with np.errstate(all="ignore"):
            model.train(
                corpus_iterable=sentences,
                total_examples=model.corpus_count,
                epochs=epochs,
            )
            vectors = _take(model, parameters)
        if np.isfinite(vectors.words).all() and np.isfinite(vectors.subwords).all():
            return vectors
        _log.warning("word vectors diverged at learning rate %g; trying half of it", rate)
        rate /= 2
    raise InvalidParameters(
        f"Word vectors diverge at learning rates from {parameters.learning_rate:g} down to "
        f"{rate * 2:g}. Lower learning_rate; 0.05 is usual.",
        details={"learning_rate": parameters.learning_rate, "attempts": _ATTEMPTS},
    )


def _epochs(num_tokens: int) -> int:
    return min(_MOST_EPOCHS, max(_USUAL_EPOCHS, _ENOUGH_TOKENS // max(1, num_tokens)))


def _new_model(parameters: FastTextParameters, min_count: int, rate: float, seed: int) -> FastText:
    return FastText(
        vector_size=parameters.dimension,
        alpha=rate,
        min_alpha=rate / 1000,
        window=parameters.window,
        min_count=min_count,
        max_final_vocab=parameters.max_words,
        sg=int(parameters.algorithm == "skipgram"),
        min_n=parameters.min_n,
        max_n=parameters.max_n,
        bucket=parameters.buckets,
        workers=1,
        seed=seed,
    )


def _take(model: FastText, parameters: FastTextParameters) -> WordVectors:
    keyed = model.wv
    order = sorted(range(len(keyed)), key=keyed.index_to_key.__getitem__)
    used = [np.asarray(keyed.buckets_word[row], dtype=np.int64) for row in order]
    buckets = np.unique(np.concatenate(used)) if parameters.max_n else np.empty(0, np.int64)
    subwords = keyed.vectors_ngrams[buckets] if len(buckets) else np.empty((0, keyed.vector_size))
    return WordVectors(
        terms=[keyed.index_to_key[row] for row in order],
        words=np.asarray(keyed.vectors[order], dtype=np.float32),
        buckets=buckets,
        subwords=np.asarray(subwords, dtype=np.float32),
        min_n=parameters.min_n,
        max_n=parameters.max_n,
        num_buckets=parameters.buckets,
    )


def _sentences(documents: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
    for document in documents:
        for start in range(0, len(document), _MAX_SENTENCE_TOKENS):
            yield document[start : start + _MAX_SENTENCE_TOKENS]
