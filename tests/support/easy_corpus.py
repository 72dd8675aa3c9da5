"""Texts of three classes that every classifier can tell apart."""

from __future__ import annotations

import random
from typing import Protocol

_WORDS = {
    "sports": "goal match team coach league score penalty stadium".split(),
    "business": "shares profit market bank merger investor trade loan".split(),
    "science": "planet orbit rocket telescope galaxy probe atom laser".split(),
}
_COMMON = "the a of and in it was on that with for as new".split()

#: Texts, and the label of each.
Corpus = tuple[list[str], list[str]]


class MakeCorpus(Protocol):
    """Makes so many texts of each class."""

    def __call__(self, per_class: int = 20, seed: int = 0) -> Corpus:
        """Make them; the same seed gives the same."""
        ...


def make_corpus(per_class: int = 20, seed: int = 0) -> Corpus:
    """See :class:`MakeCorpus`."""
    source = random.Random(seed)
    labels = sorted(_WORDS) * per_class
    source.shuffle(labels)
    texts = [
        " ".join(source.choices(_WORDS[label], k=5) + source.choices(_COMMON, k=8)) + "."
        for label in labels
    ]
    return texts, labels
