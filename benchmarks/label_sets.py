"""Whether confidences mean what they say of several classes: part of ``make bench-trust``.

Two in five documents are made of two, a pair of words from each in turn, and have the classes of
both, so that their first words speak for both. What is held out is predicted as it is, and cut to
its first 1, 3 and 10 words. An answer is that a document has a class, or has not; its confidence is
the probability of that. ``over`` is mean confidence minus the share of right answers, ``of the
first`` the same of the most probable class alone; ``log loss`` is a document's. Means over draws.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from benchmarks.trust import CUTS, load, means, sample
from lexiclass import Pipeline, PipelineSpec

_OF_TWO = 0.4
_TESTED = 1_500
_SMALLEST = 1e-12

# Of whole documents, and of those cut to so many words.
_PREFIXES = ("", *(f"{words}: " for words in CUTS))


def main() -> None:
    """Measure, print, write."""
    options = _options()
    spec = PipelineSpec(
        feature_extractor=options.features, classifier=options.classifier, multi_label=True
    )
    results: dict[str, dict[str, float]] = {}
    for corpus in map(load, options.data):
        for size in options.sizes:
            measured = []
            for draw in range(options.draws):
                random = np.random.default_rng(draw)
                train = made_of_two(corpus.train, size, random)
                test = made_of_two(corpus.test, _TESTED, random)
                measured.append(measure(spec, train, test))
            name = f"{size} documents | {corpus.name}"
            results[name] = means(measured)
            print(f"{name:<32}{_row(results[name])}", flush=True)
            if options.results:
                options.results.write_text(json.dumps(results, indent=2) + "\n")


def made_of_two(
    documents: Sequence[tuple[str, str]], count: int, random: np.random.Generator
) -> list[tuple[str, set[str]]]:
    """Draw documents, join some of them, and take the first."""

    def draw() -> Iterator[tuple[str, set[str]]]:
        left = iter(sample(documents, None, random))
        for text, label in left:
            other = next(left, None) if random.random() < _OF_TWO else None
            yield (text, {label}) if other is None else (_joined(text, other[0]), {label, other[1]})

    return [document for _, document in zip(range(count), draw(), strict=False)]


def measure(
    spec: PipelineSpec, train: Sequence[tuple[str, set[str]]], test: Sequence[tuple[str, set[str]]]
) -> dict[str, float]:
    """Train, and predict what is held out, whole and cut short."""
    pipeline = Pipeline(spec)
    pipeline.fit([text for text, _ in train], [labels for _, labels in train])
    truth = np.array([[name in labels for name in pipeline.classes] for _, labels in test])
    figures: dict[str, float] = {}
    for words in (None, *CUTS):
        texts = [" ".join(text.split()[:words]) for text, _ in test]
        probabilities = pipeline.predict(texts).probabilities
        right = (probabilities >= 0.5) == truth
        first = np.arange(len(test)), probabilities.argmax(axis=1)
        of_truth = np.maximum(np.where(truth, probabilities, 1 - probabilities), _SMALLEST)
        prefix = "" if words is None else f"{words}: "
        figures |= {
            f"{prefix}over": float(np.maximum(probabilities, 1 - probabilities).mean())
            - float(right.mean()),
            f"{prefix}of the first": float(probabilities[first].mean() - truth[first].mean()),
            f"{prefix}log loss": float(-np.log(of_truth).sum(axis=1).mean()),
        }
    return figures


def _joined(one: str, other: str) -> str:
    pairs = (
        [words[start : start + 2] for start in range(0, len(words), 2)]
        for words in (one.split(), other.split())
    )
    in_turn = zip_longest(*pairs, fillvalue=[])
    return " ".join(word for turn in in_turn for pair in turn for word in pair)


def _row(figures: Mapping[str, float]) -> str:
    formats = {"over": "+.3f", "of the first": "+.3f", "log loss": ".3f"}
    return "   ".join(
        f"{name} " + " ".join(f"{figures[prefix + name]:{spelled}}" for prefix in _PREFIXES)
        for name, spelled in formats.items()
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="labelled texts")
    parser.add_argument("--sizes", nargs="+", type=int, default=[300, 2_000], help="to train on")
    parser.add_argument("--draws", type=int, default=2, help="subsamples of each size")
    parser.add_argument("--features", default="tfidf", help="feature extractor")
    parser.add_argument("--classifier", default="svm", help="classifier")
    parser.add_argument("--results", type=Path, help="file to write figures to, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
