"""A corpus of any size that looks like the demo corpus to an index and to a classifier.

Runs of words are copied from random places of the demo corpus' documents of a class: words and
pairs of words are as frequent as in real text, and classes differ as real ones do. Word lengths,
and so bytes per word, are the demo corpus' own; so are the lengths of documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass_worker.demo_corpus import build_demo_corpus

NUM_CLASSES = 10

# Words copied at a time: long enough that most pairs of words are real ones.
_MEAN_RUN = 8

# Share of the runs that come from any class: what makes the classes hard to tell apart.
_FOREIGN_RUNS = 0.4
_LONGEST_DOCUMENT = 400
_BLOCK = 2_000


@dataclass(frozen=True, slots=True)
class Words:
    """The demo corpus as words, white space removed.

    Attributes:
        words: (n,) every word with its punctuation, document after document.
        starts: Of each class, where its words start; one more for the end.
        lengths: Number of words of each document.
        labels: Names of the classes.
    """

    words: NDArray[np.object_]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: tuple[str, ...]


def demo_words() -> Words:
    """Read the demo corpus' largest classes."""
    by_label: dict[str, list[list[str]]] = {}
    for document in build_demo_corpus():
        by_label.setdefault(document.label, []).append(document.text.split())
    largest = sorted(by_label, key=lambda label: (-len(by_label[label]), label))[:NUM_CLASSES]
    texts = [text for label in largest for text in by_label[label]]
    sizes = [sum(map(len, by_label[label])) for label in largest]
    return Words(
        words=np.array([word for text in texts for word in text], dtype=object),
        starts=np.concatenate(([0], np.cumsum(sizes))),
        lengths=np.minimum([len(text) for text in texts], _LONGEST_DOCUMENT),
        labels=tuple(largest),
    )


def synthetic_documents(words: Words, num_documents: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield texts and their labels; the same seed gives the same corpus, and prefixes agree."""
    for block in range(0, num_documents, _BLOCK):
        rng = np.random.default_rng((seed, block))
        documents = list(_block(words, rng))
        yield from documents[: num_documents - block]


def _block(words: Words, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    classes = rng.integers(len(words.labels), size=_BLOCK)
    lengths = rng.choice(words.lengths, size=_BLOCK)
    for label, length in zip(classes.tolist(), lengths.tolist(), strict=True):
        runs = 1 + rng.geometric(1 / _MEAN_RUN, size=2 + 2 * length // _MEAN_RUN)
        own = rng.integers(words.starts[label], words.starts[label + 1], size=len(runs))
        foreign = rng.integers(len(words.words), size=len(runs))
        begins = np.where(rng.random(len(runs)) < _FOREIGN_RUNS, foreign, own)
        steps = np.arange(runs.sum()) - np.repeat(np.cumsum(runs) - runs, runs)
        places = np.repeat(begins, runs) + steps
        chosen = words.words[places[:length] % len(words.words)]
        yield " ".join(chosen.tolist()), words.labels[label]
