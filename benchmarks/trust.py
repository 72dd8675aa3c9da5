"""Whether a confidence means what it says: ``make bench-trust DATA='a.csv b.csv'``.

Trains on corpora (.csv, .tsv or .jsonl with the columns text, label and, if wanted, split) and on a
made-up one, subsampled in the ways that make confidences go wrong: few labels, a rare class, every
text twice, wrong labels, many tiny classes, a class that is missing. What is held out is predicted
as it is, and cut to its first 1, 3 and 10 words.

Figures are means over draws. ``over`` is mean confidence minus accuracy; ``ECE`` the expected
calibration error over 15 bins; ``band`` its 95 % quantile for a perfect model with the same
confidences, by simulation. ``sure`` is the share of documents with a confidence of .95 or more, and
how many of these are right. With ``--tuned``, the accuracy of scikit-learn's tuned pipeline on the
same documents stands beside it. With ``--before FILE``, what another version of the code wrote with
``--results``, each figure is compared with its own on the same draws.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.tuned import tuned_answers
from lexiclass import (
    LabelledText,
    LexiClassError,
    Pipeline,
    PipelineSpec,
    evaluate,
    expected_calibration_error,
    read_corpus,
    split_of,
)

Random = np.random.Generator

_TEST_FRACTION = 0.2
_MOST_TRAINED, _MOST_TESTED = 6_000, 2_000
_SIMULATIONS = 100
CUTS = (1, 3, 10)
_SURE = 0.9
_THRESHOLD = 0.95

# Figures of documents as they are; the others are named after the cut.
_COLUMNS = ("accuracy", "macro F1", "log loss", "over", "ECE", "band")


class Corpus(NamedTuple):
    """Labelled texts, for training and for testing."""

    name: str
    train: list[tuple[str, str]]
    test: list[tuple[str, str]]


class Drawn(NamedTuple):
    """Documents to train on and to test on, and tested ones of a class that nobody trained on."""

    train: list[tuple[str, str]]
    test: list[tuple[str, str]]
    unseen: list[tuple[str, str]] = []  # noqa: RUF012 - a tuple's default is never changed


Scenario = Callable[[Corpus, Random], Drawn]


def few(count: int) -> Scenario:
    """Draw so many training documents."""
    return lambda corpus, random: Drawn(sample(corpus.train, count, random), corpus.test)


def of_each_class(count: int) -> Scenario:
    """Draw so many training documents of each class."""

    def draw(corpus: Corpus, random: Random) -> Drawn:
        shuffled, seen, kept = sample(corpus.train, None, random), dict[str, int](), []
        for text, label in shuffled:
            seen[label] = seen.get(label, 0) + 1
            if seen[label] <= count:
                kept.append((text, label))
        return Drawn(kept, corpus.test)

    return draw


def all_but(count: int) -> Scenario:
    """Draw so many documents to test on, of small corpora a half, and train on all others."""

    def draw(corpus: Corpus, random: Random) -> Drawn:
        shuffled = sample([*corpus.train, *corpus.test], None, random)
        tested = min(count, len(shuffled) // 2)
        return Drawn(shuffled[tested:], shuffled[:tested])

    return draw


def rare_class(corpus: Corpus, random: Random) -> Drawn:
    """Leave nine documents of one class, and as small a share of it in the test."""
    rare = str(random.choice(sorted({label for _, label in corpus.train})))
    train = sample(corpus.train, None, random)
    others = [document for document in train if document[1] != rare][:1_500]
    of_rare = [document for document in train if document[1] == rare][:9]
    test = [document for document in corpus.test if document[1] != rare]
    tested = [document for document in corpus.test if document[1] == rare]
    share = len(of_rare) / (len(others) + len(of_rare))
    return Drawn([*others, *of_rare], [*test, *tested[: max(1, round(share * len(test)))]])


def twice(corpus: Corpus, random: Random) -> Drawn:
    """Give every training document twice."""
    return Drawn(sample(corpus.train, 1_500, random) * 2, corpus.test)


def wrong_labels(corpus: Corpus, random: Random) -> Drawn:
    """Give a fifth of all labels, those of the test too, at random."""
    classes = sorted({label for _, label in corpus.train})

    def spoil(documents: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        is_wrong = random.random(len(documents)) < 0.2
        return [
            (text, str(random.choice(classes)) if wrong else label)
            for (text, label), wrong in zip(documents, is_wrong, strict=True)
        ]

    return Drawn(spoil(sample(corpus.train, 1_500, random)), spoil(corpus.test))


def missing_class(corpus: Corpus, random: Random) -> Drawn:
    """Train on all classes but one."""
    missing = str(random.choice(sorted({label for _, label in corpus.train})))
    train = [document for document in corpus.train if document[1] != missing]
    return Drawn(
        sample(train, 3_000, random),
        [document for document in corpus.test if document[1] != missing],
        [document for document in corpus.test if document[1] == missing],
    )


SCENARIOS: dict[str, Scenario] = {
    "100 labels": few(100),
    "8 a class": of_each_class(8),
    "1,000 labels": few(1_000),
    "2,000 labels": few(2_000),
    "rare class": rare_class,
    "twice": twice,
    "wrong labels": wrong_labels,
    "missing class": missing_class,
    "whole": few(_MOST_TRAINED),
    "all but 1,500": all_but(1_500),
    "tiny classes": few(_MOST_TRAINED),
}


def main() -> None:
    """Measure, print, write."""
    options = _options()
    spec = PipelineSpec(
        feature_extractor=options.features,
        feature_extractor_params=dict(options.param),
        classifier=options.classifier,
    )
    corpora = list(map(load, options.data))
    before = json.loads(options.before.read_text()) if options.before else {}
    results: dict[str, dict[str, float]] = {}
    for name in options.scenarios:
        chosen = [tiny_classes()] if name == "tiny classes" else corpora
        if name == "missing class":
            chosen = [corpus for corpus in chosen if len({label for _, label in corpus.train}) > 2]
        for corpus in chosen:
            draws = 1 if name in {"whole", "tiny classes"} else options.draws
            measured = [
                measure(spec, corpus, name, draw, tested=options.tested, tuned=options.tuned)
                for draw in range(draws)
            ]
            results[f"{name} | {corpus.name}"] = means(measured)
            if options.results:
                options.results.write_text(json.dumps(results, indent=2) + "\n")
            print(_row(f"{name} | {corpus.name}", results, before), flush=True)
        if chosen:
            print(_summary(name, results, before), flush=True)


def load(path: Path) -> Corpus:
    """Read a corpus; without a split a hash of the text holds out a fifth."""
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for record in read_corpus(path):
        if isinstance(record, LabelledText) and record.label is not None:
            parts[split_of(record, _TEST_FRACTION)].append((record.text, str(record.label)))
    return Corpus(path.stem, parts["train"], parts["test"])


def tiny_classes(num_classes: int = 273) -> Corpus:
    """Make up 273 classes of 3 training documents, with two words of their own each."""
    random = np.random.default_rng(0)

    def write(count: int) -> list[tuple[str, str]]:
        written = []
        for number in range(num_classes * count):
            topic = number % num_classes
            common = random.zipf(1.3, 14) % 3_000
            own = random.choice([f"t{topic}a", f"t{topic}b", f"t{topic}c", "t"], 2)
            words = random.permutation([*own, *(f"w{word}" for word in common)])
            written.append((" ".join(words), f"class {topic}"))
        return written

    return Corpus("made-up", write(3), write(6))


def sample(
    documents: Sequence[tuple[str, str]], count: int | None, random: Random
) -> list[tuple[str, str]]:
    """Shuffle documents and take the first."""
    return [documents[row] for row in random.permutation(len(documents))[:count]]


def measure(
    spec: PipelineSpec, corpus: Corpus, scenario: str, draw: int, *, tested: int, tuned: bool
) -> dict[str, float]:
    """Train and test on one draw, and with another seed."""
    random = np.random.default_rng([draw, *scenario.encode()])
    drawn = SCENARIOS[scenario](corpus, random)
    test = sample(drawn.test, tested, random)
    texts, labels = map(list, zip(*drawn.train, strict=True))
    began = time.perf_counter()
    pipeline = Pipeline(spec)
    pipeline.fit(texts, labels)
    figures = {"seconds": time.perf_counter() - began}
    test = [document for document in test if document[1] in pipeline.classes]
    questions, truth = map(list, zip(*test, strict=True))
    figures |= _figures(pipeline, questions, truth, random)
    if tuned:
        answers = tuned_answers(texts, labels, questions)
        figures["tuned accuracy"] = float((answers == np.array(truth)).mean())
    for words in CUTS:
        first = [" ".join(text.split()[:words]) for text in questions]
        cut = _figures(pipeline, first, truth, random)
        figures |= {f"{words}: {name}": cut[name] for name in ("accuracy", "over", "log loss")}
    other = Pipeline(spec.model_copy(update={"seed": spec.seed + 1}))
    other.fit(texts, labels)
    moved = np.abs(other.predict(questions).confidence - pipeline.predict(questions).confidence)
    figures["moved"] = float(np.quantile(moved, 0.99))
    if drawn.unseen:
        strange = pipeline.predict([text for text, _ in drawn.unseen])
        figures["unseen sure"] = float((strange.confidence >= _SURE).mean())
    return figures


def _figures(
    pipeline: Pipeline, texts: Sequence[str], truth: Sequence[str], random: Random
) -> dict[str, float]:
    predictions = pipeline.predict(texts)
    codes = np.array([pipeline.classes.index(label) for label in truth])
    confidence = predictions.confidence
    right = predictions.codes == codes
    metrics = evaluate(list(truth), predictions)
    probable = predictions.probabilities[np.arange(len(codes)), codes]
    return {
        "accuracy": float(right.mean()),
        "macro F1": metrics["macro_f1"],
        "log loss": float(-np.log(np.maximum(probable, 1e-12)).mean()),
        "over": float(confidence.mean() - right.mean()),
        "ECE": expected_calibration_error(confidence, right),
        "band": perfect_band(confidence, random),
        "sure": float((confidence >= _THRESHOLD).mean()),
        **_of_the_sure(confidence, right),
    }


def _of_the_sure(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, float]:
    sure = confidence >= _THRESHOLD
    return {"sure right": float(right[sure].mean())} if sure.any() else {}


def perfect_band(confidence: NDArray[np.float64], random: Random) -> float:
    """Return the calibration error that a perfect model stays below 19 times of 20."""
    errors = [
        expected_calibration_error(confidence, random.random(len(confidence)) < confidence)
        for _ in range(_SIMULATIONS)
    ]
    return float(np.quantile(errors, 0.95))


def means(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average figures over draws; those that not every draw has over those that have."""
    names = dict.fromkeys(name for figures in measured for name in figures)
    return {
        name: float(np.mean([figures[name] for figures in measured if name in figures]))
        for name in names
    }


def _row(name: str, results: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    def cells(figures: Mapping[str, float]) -> Iterator[str]:
        for column in _COLUMNS:
            yield f"{column} {figures[column]:.3f}"
        yield "over of first words " + " ".join(
            f"{words}: {figures[f'{words}: over']:+.3f}" for words in CUTS
        )
        yield f"moved {figures['moved']:.3f}"
        if "sure right" in figures:
            yield f"sure {figures['sure']:.3f}, right {figures['sure right']:.3f}"
        if "tuned accuracy" in figures:
            yield f"tuned {figures['tuned accuracy']:.3f}"
        if "unseen sure" in figures:
            yield f"unseen sure {figures['unseen sure']:.3f}"

    line = f"{name:<32}" + "  ".join(cells(results[name]))
    if name in before:
        line += f"\n{'    before':<32}" + "  ".join(cells(before[name]))
    return line


def _summary(scenario: str, results: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Return the means over corpora, and how many are inside the band."""

    def of(content: Mapping[str, Any]) -> str:
        found = [figures for name, figures in content.items() if name.startswith(f"{scenario} |")]
        mean = means(found)
        inside = sum(figures["ECE"] <= figures["band"] for figures in found)
        worst = max(abs(figures["over"]) for figures in found)
        first = " ".join(f"{words}: {mean[f'{words}: over']:+.3f}" for words in CUTS)
        return (
            f"accuracy {mean['accuracy']:.3f}  macro F1 {mean['macro F1']:.3f}  log loss "
            f"{mean['log loss']:.3f}  over {mean['over']:+.3f} (worst {worst:.3f})  ECE "
            f"{mean['ECE']:.3f}, in the band {inside} of {len(found)}  first words {first}"
        )

    lines = [f"== {scenario}: {of(results)}"]
    if any(name.startswith(f"{scenario} |") for name in before):
        lines.append(f"   before: {of(before)}")
    return "\n".join(lines) + "\n"


def _parameter(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, json.loads(value)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="labelled texts")
    parser.add_argument(
        "--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS), metavar="NAME"
    )
    parser.add_argument(
        "--tuned", action="store_true", help="compare with scikit-learn's tuned pipeline"
    )
    parser.add_argument("--draws", type=int, default=3, help="subsamples of each kind")
    parser.add_argument(
        "--tested", type=int, default=_MOST_TESTED, help="documents to test on, at most"
    )
    parser.add_argument("--features", default="tfidf", help="feature extractor")
    parser.add_argument("--classifier", default="svm", help="classifier")
    parser.add_argument(
        "--param",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the feature extractor, its value as JSON",
    )
    parser.add_argument("--results", type=Path, help="file to write figures to, as JSON")
    parser.add_argument("--before", type=Path, help="figures of another version, on the same data")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LexiClassError as error:
        sys.exit(f"{error.code}: {error.message}")
