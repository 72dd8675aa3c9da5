"""How many documents of a kind that nobody trained on are told: part of ``make bench-trust``.

Each class of a corpus is left out of training in turn, of many the ten largest. The documents of
that class then have a confidence all the same. The table says which share of them has one of 0.9 or
more (``sure``), which share still has when unfamiliar ones are set aside (``left``), and how many
are unfamiliar, at the p-value that predictions are flagged by and at 0.05; then the same of
documents of the other corpora, which have other subjects and another style. ``false`` is the share
of held-out documents of the classes trained on that are flagged.

Without corpora it measures on the docstrings of the installed libraries. Figures are means over the
classes left out.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.trust import Corpus, load
from lexiclass import Pipeline, PipelineSpec, Predictions
from lexiclass.familiarity import FALSE_ALARMS
from lexiclass_worker.demo_corpus import build_demo_corpus

_MOST_TRAINED, _MOST_TESTED, _MOST_CLASSES = 3_000, 1_000, 10
_SURE, _LAX = 0.9, 0.05


def main() -> None:
    """Measure, print, write."""
    options = _options()
    corpora = [load(path) for path in options.data]
    if not corpora or options.demo:
        corpora.append(_demo())
    spec = PipelineSpec(feature_extractor=options.features, classifier=options.classifier)
    results: dict[str, dict[str, float]] = {}
    for corpus in corpora:
        others = {other.name: other for other in corpora if other is not corpus}
        labels = Counter(label for _, label in corpus.train)
        left_out = sorted(sorted(labels), key=lambda name: -labels[name])[:_MOST_CLASSES]
        if len(labels) < 3:
            print(f"{corpus.name}: two classes, of which none can be left out")
            continue
        measured = [measure(spec, corpus, missing, others) for missing in left_out]
        results[corpus.name] = {
            name: float(np.nanmean([figures[name] for figures in measured])) for name in measured[0]
        }
        print(_table(corpus.name, results[corpus.name]), flush=True)
        if options.results:
            options.results.write_text(json.dumps(results, indent=2) + "\n")


def measure(
    spec: PipelineSpec, corpus: Corpus, missing: str, others: Mapping[str, Corpus]
) -> dict[str, float]:
    """Train without a class, and predict what is held out of the rest, it, and other corpora."""
    random = np.random.default_rng(0)
    train = _some([pair for pair in corpus.train if pair[1] != missing], _MOST_TRAINED, random)
    held_out = _some([pair for pair in corpus.test if pair[1] != missing], _MOST_TESTED, random)
    everything = [*corpus.train, *corpus.test]
    unseen = _some([pair for pair in everything if pair[1] == missing], _MOST_TESTED, random)
    pipeline = Pipeline(spec)
    pipeline.fit(*map(list, zip(*train, strict=True)))

    def predict(documents: Sequence[tuple[str, str]]) -> Predictions:
        return pipeline.predict([text for text, _ in documents])

    figures = {"false": _flagged(predict(held_out), FALSE_ALARMS)}
    figures["false at .05"] = _flagged(predict(held_out), _LAX)
    figures |= _figures("unseen class", predict(unseen))
    for name, other in others.items():
        figures |= _figures(name, predict(_some(other.test, _MOST_TESTED, random)))
    return figures


def _figures(name: str, predictions: Predictions) -> dict[str, float]:
    if predictions.unfamiliar is None:
        raise SystemExit("This pipeline does not tell what is unfamiliar to it.")
    is_sure = predictions.confidence >= _SURE
    return {
        f"{name}: sure": float(is_sure.mean()),
        f"{name}: left": float((is_sure & ~predictions.unfamiliar).mean()),
        f"{name}: flagged": _flagged(predictions, FALSE_ALARMS),
        f"{name}: flagged at .05": _flagged(predictions, _LAX),
    }


def _flagged(predictions: Predictions, p_value: float) -> float:
    if predictions.familiarity is None:
        raise SystemExit("This pipeline does not tell what is unfamiliar to it.")
    return float((predictions.familiarity <= p_value).mean())


def _demo() -> Corpus:
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for document in build_demo_corpus():
        parts[document.split].append((document.text, document.label))
    return Corpus("docstrings", parts["train"], parts["test"])


def _some(
    documents: Sequence[tuple[str, str]], count: int, random: np.random.Generator
) -> list[tuple[str, str]]:
    return [documents[row] for row in random.permutation(len(documents))[:count]]


def _table(corpus: str, figures: Mapping[str, float]) -> str:
    lines = [f"{corpus}: false {figures['false']:.3f}, at .05 {figures['false at .05']:.3f}"]
    for name in dict.fromkeys(key.split(": ")[0] for key in figures if ": " in key):
        sure, left, flagged, lax = (
            figures[f"{name}: {figure}"] for figure in ("sure", "left", "flagged", "flagged at .05")
        )
        lines.append(
            f"    {name:<16} sure {sure:.3f}, left {left:.3f}, flagged {flagged:.3f}, at .05 "
            f"{lax:.3f}"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="labelled texts")
    parser.add_argument("--demo", action="store_true", help="the docstrings beside them")
    parser.add_argument("--features", default="tfidf", help="feature extractor")
    parser.add_argument("--classifier", default="svm", help="classifier")
    parser.add_argument("--results", type=Path, help="file to write figures to, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
